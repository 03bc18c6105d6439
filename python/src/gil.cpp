// SPDX-License-Identifier: Apache-2.0
// Who may touch the interpreter, and how its end is awaited.
//
// Invariants
//   G1. Whoever takes the lock from outside Python is counted in `users` first and looks at `open`
//       afterwards; the end clears `open` first and waits for `users` afterwards. So nobody takes the lock
//       unseen while Python goes away.
//   G2. A worker that holds the lock between two tasks takes only the library's own locks, and nobody who
//       holds one of those asks for the interpreter's.
#include <unistd.h>

#include <atomic>
#include <new>

#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/flow.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/tree/forest.hpp>
#include "gil.hpp"
#include "turnstile.hpp"

namespace tg::python {

namespace {

std::atomic<bool> open{false};
std::atomic<long> users{0};
PyObject* worker_thread_type = nullptr;  // threadgroup_core._threads.WorkerThread

constexpr Duration kTurn = Duration::from_nanos(5'000'000);  // the interpreter's own switch interval

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

template <class F>
auto through_turnstile(F&& take) noexcept {
  Turnstile::Place place(runtime::Flow::current());
  turnstile.line_up(place);
  return take_in_turn(place, take);
}

// Has a sleeper that is told of the event line up, without waking it before it is its turn.
struct LinesUp : detail::WaitNode {
  explicit LinesUp(runtime::Flow& flow) noexcept : WaitNode(&LinesUp::call), place(flow) {}
  static void call(WaitNode& node) noexcept { turnstile.line_up(static_cast<LinesUp&>(node).place); }
  Turnstile::Place place;
};

bool begin_use() noexcept {
  users.fetch_add(1, std::memory_order_seq_cst);
  if (open.load(std::memory_order_seq_cst)) return true;
  users.fetch_sub(1, std::memory_order_seq_cst);
  return false;
}
void end_use() noexcept { users.fetch_sub(1, std::memory_order_seq_cst); }

// A worker's ties to the interpreter. It belongs to the thread, and goes with it.
class Worker {
 public:
  ~Worker() {
    if (state_ == nullptr || generation_ != runtime::fork_generation() || !begin_use()) return;  // leaked
    if (!holding_) take_back(state_);
    Py_CLEAR(thread_);
    PyGILState_Release(PyGILState_UNLOCKED);  // the first `Ensure` of this thread: deletes the state
    end_use();
  }

  /// It is in the middle of a task, which has given the lock away.
  bool waits() const noexcept { return holding_ && PyGILState_Check() == 0; }

  bool enter(GroupState& group) noexcept {
    if (waits()) {
      take_back(state_);
    } else if (!holding_) {
      if (!begin_use()) return false;
      if (state_ != nullptr) {
        take_back(state_);
      } else {
        through_turnstile([] { PyGILState_Ensure(); });
        state_ = PyThreadState_Get();
        generation_ = runtime::fork_generation();
      }
      holding_ = true;
      since_ = runtime::coarse_now();
      runtime::Flow::current().before_idle = &Worker::leave_flow;
    } else if (runtime::coarse_now() - since_ > kTurn) {
      // Python functions make room when asked; a long row of C functions would not.
      take_back(PyEval_SaveThread());
      since_ = runtime::coarse_now();
    }
    if (group_ != &group) serve(group);
    return true;
  }

 private:
  static void leave_flow(runtime::Flow&) noexcept;

  void leave() noexcept {
    if (!holding_) return;
    stop_serving();
    holding_ = false;
    PyEval_SaveThread();
    end_use();
  }

  void serve(GroupState& group) noexcept {
    stop_serving();
    group.add_reference();
    group_ = &group;
    while (number_ < group.numbers.size() && group.numbers[number_]) ++number_;
    if (number_ == group.numbers.size()) group.numbers.push_back(false);
    group.numbers[number_] = true;
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    if (thread_ == nullptr) thread_ = PyObject_CallNoArgs(worker_thread_type);
    if (thread_ != nullptr) {
      const std::string name = group.name + "_" + std::to_string(number_);
      PyObject* const shown =
          PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), "replace");
      PyObject* const done = shown != nullptr ? PyObject_CallMethod(thread_, "_serve", "O", shown) : nullptr;
      Py_XDECREF(done);
      Py_XDECREF(shown);
    }
    if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(worker_thread_type);
    PyErr_Restore(type, value, trace);
  }

  void stop_serving() noexcept {
    if (group_ == nullptr) return;
    group_->numbers[number_] = false;
    number_ = 0;
    std::exchange(group_, nullptr)->release();
    if (thread_ == nullptr) return;
    PyObject* const done = PyObject_CallMethod(thread_, "_leave", nullptr);
    if (done == nullptr) PyErr_WriteUnraisable(thread_);
    Py_XDECREF(done);
  }

  PyThreadState* state_ = nullptr;
  PyObject* thread_ = nullptr;  // what `threading.current_thread()` returns here
  GroupState* group_ = nullptr;
  std::size_t number_ = 0;
  TimePoint since_;
  std::uint32_t generation_ = 0;
  bool holding_ = false;
};

thread_local Worker worker;

void Worker::leave_flow(runtime::Flow&) noexcept { worker.leave(); }

void after_fork_in_child() {
  users.store(0, std::memory_order_relaxed);
  ::new (static_cast<void*>(&turnstile)) Turnstile;  // whoever stands in line is in the parent
}

}  // namespace

void park_for_ever() noexcept {
  for (;;) ::pause();
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

WorkerTurn::WorkerTurn(GroupState& group) noexcept : nested_(worker.waits()), entered_(worker.enter(group)) {}

bool interpreter_is_open() noexcept { return open.load(std::memory_order_relaxed); }

void close_interpreter() noexcept {
  PyThreadState* const state = PyEval_SaveThread();
  detail::Forest::instance().finish_process();
  open.store(false, std::memory_order_seq_cst);  // G1
  // Those on their way out need a moment; those that did not stop were named, and park when they come back.
  runtime::Flow& me = runtime::Flow::current();
  const TimePoint deadline = runtime::after(Duration::from_nanos(200'000'000));
  while (users.load(std::memory_order_seq_cst) > 0 && runtime::now() < deadline) {
    me.park_until(runtime::after(Duration::from_nanos(200'000)));
  }
  take_back(state);
}

bool init_gil() {
  PyObject* const module = PyImport_ImportModule("threadgroup_core._threads");
  if (module == nullptr) return false;
  worker_thread_type = PyObject_GetAttrString(module, "WorkerThread");
  Py_DECREF(module);
  if (worker_thread_type == nullptr) return false;
  detail::Forest::instance();  // its handlers for forks come before ours
  runtime::at_fork([] {}, [] {}, &after_fork_in_child);
  open.store(true, std::memory_order_seq_cst);
  return true;
}

}  // namespace tg::python
