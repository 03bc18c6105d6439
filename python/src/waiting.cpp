// SPDX-License-Identifier: Apache-2.0
// Waiting without the interpreter's lock, with a look at signals now and then.
#include "waiting.hpp"

#include <atomic>
#include <string>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/thread_utils.hpp>

#include "event/callers_task.hpp"
#include "event/event.hpp"
#include "runtime/flow.hpp"
#include "runtime/wait_breaks.hpp"

namespace tg::python {

namespace {

constexpr Duration kBetweenSignals = Duration::from_nanos(20'000'000);

void check_signals(OnInterrupt on_interrupt) {
  if (on_interrupt == OnInterrupt::stops_groups) {
    python::check_signals();
  } else if (calling_python([] { return PyErr_CheckSignals(); }) != 0) {
    throw py::error_already_set();
  }
}

constexpr auto kAlways = [] { return true; };

/// A wait with breaks, in which the thread has the interpreter's lock. Meanwhile the event of the flow is one of its
/// own, which a signal handler that raises can set, too.
class BrokenWait {
 public:
  BrokenWait(runtime::Flow& flow, EndedBy ended_by, OnInterrupt on_interrupt, FunctionRef<bool()> goes_on)
      : flow_(flow), on_interrupt_(on_interrupt), goes_on_(goes_on), outer_(flow.event), link_(*this) {
    if (outer_ != nullptr && ended_by == EndedBy::stops) {
      is_linked_ = true;
      outer_->watch();
      outer_->waiters().link(link_);
      if (outer_->is_set()) end(outer_->reason());
    }
    flow_.event = &event_;
  }
  ~BrokenWait() {
    flow_.event = outer_;
    if (!is_linked_ || outer_->waiters().unlink(link_)) return;
    // It was called, or is about to be.
    while (!link_.was_called.load(std::memory_order_acquire)) flow_.park_until(TimePoint::never());
  }
  BrokenWait(const BrokenWait&) = delete;
  BrokenWait& operator=(const BrokenWait&) = delete;

  bool run(Duration interval, FunctionRef<bool()> wait) {
    bool done = false;
    std::exception_ptr error;
    state_ = PyEval_SaveThread();
    {
      const auto look_now = [this] { look(); };
      const runtime::WaitBreaks breaks(interval, look_now);
      try {
        done = wait();
      } catch (...) {
        error = std::current_exception();
      }
    }
    take_back(state_);
    if (error) std::rethrow_exception(error);
    return done;
  }
  const std::exception_ptr& raised() const noexcept { return raised_; }

 private:
  struct Link : detail::WaitNode {
    explicit Link(BrokenWait& o) noexcept : WaitNode(&Link::call), owner(o) {}
    static void call(WaitNode& node) noexcept {
      auto& link = static_cast<Link&>(node);
      runtime::Flow& flow = link.owner.flow_;
      link.owner.end(link.owner.outer_->reason());
      link.was_called.store(true, std::memory_order_release);  // from here on the wait may be gone
      flow.unpark();
    }
    BrokenWait& owner;
    std::atomic<bool> was_called{false};  // atomic: written by the thread that sets the outer event
  };

  void end(detail::ReasonPointer reason) noexcept {
    if (event_.mark(reason.get())) reason.detach();
    event_.release_waiters();
  }
  void look() noexcept {
    if (raised_ || !goes_on_now_) return;
    take_back(state_);
    flow_.event = outer_;  // a handler is not part of the wait
    try {
      check_signals(on_interrupt_);
      goes_on_now_ = goes_on_();
    } catch (...) {
      raised_ = std::current_exception();
    }
    flow_.event = &event_;
    PyEval_SaveThread();
    if (raised_ || !goes_on_now_) end(detail::ReasonPointer::adopt(new detail::SharedReason(Reason{})));
  }

  runtime::Flow& flow_;
  const OnInterrupt on_interrupt_;
  const FunctionRef<bool()> goes_on_;
  detail::Event* const outer_;
  detail::Event event_;
  Link link_;
  bool is_linked_ = false;
  bool goes_on_now_ = true;
  PyThreadState* state_ = nullptr;
  std::exception_ptr raised_;  // under the interpreter's lock
};

bool wait_with_breaks(Duration interval, EndedBy ended_by, OnInterrupt on_interrupt,
                      FunctionRef<bool()> goes_on, FunctionRef<bool()> wait, FunctionRef<void()> undo) {
  bool done = false;
  {
    BrokenWait broken(runtime::Flow::current(), ended_by, on_interrupt, goes_on);
    done = broken.run(interval, wait);
    if (broken.raised()) {
      if (done) undo();
      std::rethrow_exception(broken.raised());
    }
  }
  if (!done) check_signals(on_interrupt);
  return done;
}

}  // namespace

bool wait_without_gil(EndedBy ended_by, FunctionRef<bool()> wait, FunctionRef<void()> undo,
                      OnInterrupt on_interrupt) {
  if (!runtime::Flow::current().is_main()) return without_gil([&] { return wait(); });
  return wait_with_breaks(kBetweenSignals, ended_by, on_interrupt, kAlways, wait, undo);
}

bool wait_with_looks(Duration interval, FunctionRef<bool()> goes_on, FunctionRef<bool()> wait,
                     FunctionRef<void()> undo) {
  return wait_with_breaks(interval, EndedBy::nothing_else, OnInterrupt::only_raises, goes_on, wait, undo);
}

bool sleep_until_stopped(Duration whole, OnInterrupt on_interrupt) {
  detail::Event* const event = detail::event_of_caller();
  if (event != nullptr && !runtime::Flow::current().is_main()) return sleep_without_gil(*event, whole);
  bool slept = true;
  wait_without_gil(
      EndedBy::stops,
      [&] {
        slept = thread_utils::event_aware_sleep(whole);
        return false;  // a signal that came in its last moment is seen
      },
      [] {}, on_interrupt);
  return slept;
}

void lock_without_gil(Mutex& mutex, OnInterrupt on_interrupt) {
  wait_without_gil(
      EndedBy::nothing_else,
      [&] {
        // Only on the main thread an event can end the wait, and only that of a signal handler that raises.
        if (runtime::Flow::current().is_main()) return mutex.event_aware_lock() == WaitOutcome::ready;
        mutex.lock();
        return true;
      },
      [&] { mutex.unlock(); }, on_interrupt);
}

PyObject* wait_for_outcome(EndedBy ended_by, FunctionRef<WaitOutcome()> wait, FunctionRef<void()> undo) {
  WaitOutcome outcome = WaitOutcome::ready;
  wait_without_gil(
      ended_by,
      [&] {
        outcome = wait();
        return outcome == WaitOutcome::ready;
      },
      undo);
  return to_object(outcome);
}

PyObject* to_object(WaitOutcome outcome) {
  static PyObject* made[4] = {};  // under the interpreter's lock
  PyObject*& object = made[static_cast<std::size_t>(outcome)];
  if (object == nullptr) object = type_named("WaitOutcome")(to_string(outcome)).release().ptr();
  Py_INCREF(object);
  return object;
}

PyObject* raise_interrupted(const char* waited_for) {
  const std::string text =
      std::string("the wait for ") + waited_for +
      " ended because the waiter was stopped: " + detail::event_of_caller()->reason()->str();
  raise_again(type_named("WaitInterrupted")(text).ptr());
  return nullptr;
}

}  // namespace tg::python
