// SPDX-License-Identifier: Apache-2.0
// Waiting without the interpreter's lock, with a look at signals now and then.
#include "waiting.hpp"

#include <atomic>
#include <string>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>

#include "event/callers_task.hpp"
#include "event/event.hpp"
#include "runtime/flow.hpp"
#include "runtime/wait_breaks.hpp"

namespace tg::python {

namespace {

/// A wait of the main thread. Meanwhile the event of the flow is one of its own, which a signal handler that raises can
/// set, too.
class MainWait {
 public:
  MainWait(runtime::Flow& flow, EndedBy ended_by) : flow_(flow), outer_(flow.event), link_(*this) {
    if (outer_ != nullptr && ended_by == EndedBy::stops) {
      is_linked_ = true;
      outer_->watch();
      outer_->waiters().link(link_);
      if (outer_->is_set()) end(outer_->reason());
    }
    flow_.event = &event_;
  }
  ~MainWait() {
    flow_.event = outer_;
    if (!is_linked_ || outer_->waiters().unlink(link_)) return;
    // It was called, or is about to be.
    while (!link_.was_called.load(std::memory_order_acquire)) flow_.park_until(TimePoint::never());
  }
  MainWait(const MainWait&) = delete;
  MainWait& operator=(const MainWait&) = delete;

  bool run(FunctionRef<bool()> wait) {
    bool done = false;
    std::exception_ptr error;
    state_ = PyEval_SaveThread();
    {
      constexpr Duration kInterval = Duration::from_nanos(20'000'000);
      const auto look = [this] { look_at_signals(); };
      const runtime::WaitBreaks breaks(kInterval, look);
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
    explicit Link(MainWait& o) noexcept : WaitNode(&Link::call), owner(o) {}
    static void call(WaitNode& node) noexcept {
      auto& link = static_cast<Link&>(node);
      runtime::Flow& flow = link.owner.flow_;
      link.owner.end(link.owner.outer_->reason());
      link.was_called.store(true, std::memory_order_release);  // from here on the wait may be gone
      flow.unpark();
    }
    MainWait& owner;
    std::atomic<bool> was_called{false};  // atomic: written by the thread that sets the outer event
  };

  void end(detail::ReasonPointer reason) noexcept {
    if (event_.mark(reason.get())) reason.detach();
    event_.release_waiters();
  }
  void look_at_signals() noexcept {
    if (raised_) return;
    take_back(state_);
    flow_.event = outer_;  // a handler is not part of the wait
    try {
      check_signals();
    } catch (...) {
      raised_ = std::current_exception();
    }
    flow_.event = &event_;
    PyEval_SaveThread();
    if (raised_) end(detail::ReasonPointer::adopt(new detail::SharedReason(Reason{})));
  }

  runtime::Flow& flow_;
  detail::Event* const outer_;
  detail::Event event_;
  Link link_;
  bool is_linked_ = false;
  PyThreadState* state_ = nullptr;
  std::exception_ptr raised_;  // under the interpreter's lock
};

}  // namespace

bool wait_without_gil(EndedBy ended_by, FunctionRef<bool()> wait, FunctionRef<void()> undo) {
  runtime::Flow& me = runtime::Flow::current();
  if (!me.is_main()) return without_gil([&] { return wait(); });
  bool done = false;
  {
    MainWait on_main(me, ended_by);
    done = on_main.run(wait);
    if (on_main.raised()) {
      if (done) undo();
      std::rethrow_exception(on_main.raised());
    }
  }
  if (!done) check_signals();
  return done;
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
