// SPDX-License-Identifier: Apache-2.0
// Who may touch the interpreter, and how its end is awaited.
//
// Invariants
//   I1. A thread that takes the lock from outside Python is counted in `users` first and reads `open`
//       afterwards; the end clears `open` first and waits for `users` afterwards. So no thread takes the lock
//       unseen while Python ends.
//   I2. A worker that holds the lock between two tasks takes only the library's own locks, and no thread that
//       holds one of those asks for the interpreter's.
#include "gil.hpp"

#include <unistd.h>

#include <atomic>
#include <new>

#include <threadgroup/duration.hpp>

#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/own_calls.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "turnstile.hpp"

namespace tg::python {

namespace {

std::atomic<bool> open{false};
std::atomic<long> users{0};
Turnstile turnstile;

// Takes the lock by `take` when it is the place's turn. It may be too late: then this thread stays here, and
// those behind it too.
template <class F>
auto take_in_turn(const Turnstile::Place& place, F&& take) noexcept {
  Turnstile::wait(place);
  if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
    calling_python(take);
    turnstile.pass_on();
  } else {
    const auto result = calling_python(take);
    turnstile.pass_on();
    return result;
  }
}

bool is_finalizing() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

template <class F>
auto through_turnstile(F&& take) noexcept {
  // Then only the main thread gets the lock. Another one may have had the turn, and would not pass it on.
  if (is_finalizing()) return calling_python(take);
  Turnstile::Place place(runtime::Flow::current());
  turnstile.line_up(place);
  return take_in_turn(place, take);
}

// Lines up a sleeper whose event was set, without waking it before it is its turn.
struct LinesUp : detail::WaitNode {
  explicit LinesUp(runtime::Flow& flow) noexcept : WaitNode(&LinesUp::call), place(flow) {}
  static void call(WaitNode& node) noexcept { turnstile.line_up(static_cast<LinesUp&>(node).place); }
  Turnstile::Place place;
};

}  // namespace

bool begin_use() noexcept {
  users.fetch_add(1, std::memory_order_seq_cst);
  if (open.load(std::memory_order_seq_cst)) return true;
  users.fetch_sub(1, std::memory_order_seq_cst);
  return false;
}
void end_use() noexcept { users.fetch_sub(1, std::memory_order_seq_cst); }

void attach_thread() noexcept {
  through_turnstile([] { PyGILState_Ensure(); });
}

namespace {

void after_fork_in_child() {
  users.store(0, std::memory_order_relaxed);
  ::new (static_cast<void*>(&turnstile)) Turnstile;  // the threads in line are in the parent
}

}  // namespace

void park_forever() noexcept {
  for (;;) runtime::own::ppoll(nullptr, 0, nullptr);
}

void take_back(PyThreadState* state) noexcept {
  through_turnstile([state] { PyEval_RestoreThread(state); });
}

bool sleep_without_gil(detail::Event& event, Duration d) {
  const TimePoint deadline = runtime::after(d);
  runtime::Flow& me = runtime::Flow::current();
  LinesUp node(me);
  PyThreadState* const state = PyEval_SaveThread();
  event.watch();
  event.waiters().link(node);
  while (!event.is_set() && runtime::now() < deadline) me.park_until(deadline);
  const bool woken = event.is_set();
  if (event.waiters().unlink(node)) turnstile.line_up(node.place);  // else it did so, or is about to
  take_in_turn(node.place, [state] { PyEval_RestoreThread(state); });
  return !woken;
}

GilIfOpen::GilIfOpen() noexcept {
  // Asked in this order: after the end, no question may be put to the interpreter.
  if (!begin_use()) return;
  if (PyGILState_Check() != 0) {
    end_use();
    how_ = How::held_before;
    return;
  }
  state_ = through_turnstile([] { return PyGILState_Ensure(); });
  how_ = How::taken;
}

GilIfOpen::~GilIfOpen() {
  if (how_ != How::taken) return;
  PyGILState_Release(state_);
  end_use();
}

bool interpreter_is_open() noexcept { return open.load(std::memory_order_relaxed); }

void close_interpreter() noexcept {
  PyThreadState* const state = PyEval_SaveThread();
  detail::Forest::instance().finish_process();
  open.store(false, std::memory_order_seq_cst);  // I1
  // Those on their way out need a moment; those that did not stop were named, and park when they come back.
  runtime::Flow& me = runtime::Flow::current();
  const TimePoint deadline = runtime::after(Duration::from_nanos(200'000'000));
  while (users.load(std::memory_order_seq_cst) > 0 && runtime::now() < deadline) {
    me.park_until(runtime::after(Duration::from_nanos(200'000)));
  }
  take_back(state);
}

void init_gil() {
  detail::Forest::instance();  // its handlers for forks come before ours
  runtime::at_fork([] {}, [] {}, &after_fork_in_child);
  open.store(true, std::memory_order_seq_cst);
}

}  // namespace tg::python
