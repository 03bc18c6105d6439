// SPDX-License-Identifier: Apache-2.0
// The caller's side, and the thread's.
#include <threadgroup/detail/abandonable_call.hpp>

#include <new>

#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/scope.hpp>

#include "abandon/call_bound.hpp"
#include "abandon/call_node.hpp"
#include "base/planted.hpp"
#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/threads.hpp"
#include "tree/forest.hpp"
#include "tree/linked_node.hpp"
#include "tree/scope_entry.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

namespace {

// The thread is in the call's node, as in a scope.
class InsideCall : private Scope {
 public:
  explicit InsideCall(CallNode& node) : Scope(node) {}
  ~InsideCall() { static_cast<void>(leave()); }
};

[[noreturn]] void throw_stopped(const std::string& name, const char* what, const ReasonPointer& reason) {
  throw Stopped("call '" + name + "' was " + what + ", because its caller was stopped: " + reason->str(),
                reason);
}
[[noreturn]] void throw_not_made(const std::string& name, const ReasonPointer& reason) {
  throw_stopped(name, "not made", reason);
}
[[noreturn]] void throw_abandoned(const std::string& name, const ReasonPointer& reason) {
  throw_stopped(name, "abandoned", reason);
}

// The caller has abandoned the call. It is the thread's now, and may have ended already.
void show_abandoned(CallNode& node) noexcept {
  std::string caller;
  try {
    caller = Forest::instance().path(*innermost_node_of_caller());
  } catch (const std::bad_alloc&) {  // snapshots say less
  }
  node.abandon(std::move(caller));
  CallBound& bound = CallBound::instance();
  bound.count_abandoned(1);
  bound.report_if_none_ends();
}

std::string name_of_caller() {
  const TaskContext* const task = TaskContext::current();
  if (task != nullptr && task->task != nullptr) return task->task_name();
  return innermost_node_of_caller()->shown_name();
}

}  // namespace

AbandonableCall::~AbandonableCall() {
  // In a forked child, node and permit are the parent's.
  if (fork_generation_ != runtime::fork_generation()) return;
  if (node_ != nullptr) node_->end();
  if (!has_permit_) return;
  CallBound& bound = CallBound::instance();
  if (state_.load(std::memory_order_relaxed) == State::abandoned) bound.count_abandoned(-1);
  bound.give_back();
}

bool AbandonableCall::is_for_caller(std::string& name) {
  const Node* const node = innermost_node_of_caller();
  if (node == nullptr) return false;
  if (name.empty()) name = name_of_caller();
  if (const ReasonPointer reason = event_of_caller()->reason()) throw_not_made(name, reason);
  return node->kind() != NodeKind::call;
}

void AbandonableCall::begin() {
  Event& event = *event_of_caller();
  CallBound& bound = CallBound::instance();
  ReasonPointer reason;
  if (Forest::instance().is_inside_call(*innermost_node_of_caller()) &&
      !TG_PLANTED(abandon_inner_call_waits)) {
    bound.take_anyway();
  } else {
    reason = bound.take(event);
  }
  has_permit_ = !reason;
  if (!reason) reason = event.reason();  // it may have waited
  if (reason) throw_not_made(name_, reason);
  node_ = &CallNode::make(std::string(name_));
  caller_ = &runtime::Flow::current();
  runtime::ThreadCache::instance().start({&AbandonableCall::serve, this});
}

void AbandonableCall::run(std::unique_ptr<AbandonableCall>& call) {
  call->begin();
  Event& event = *event_of_caller();
  const WaitNote note("an abandonable call");
  const WatchedEvents events{&event, nullptr};
  const auto has_ended = [&] {
    return call->state_.load(TG_ORDER(acquire, abandon_caller_sees_nothing, relaxed)) == State::ended;
  };
  if (wait_unparked(has_ended, events, TimePoint::never()) != WaitOutcome::ready) {
    // Its own reference: the thread ends the node as soon as the call is abandoned.
    const NodeReference<CallNode> node = share(*call->node_);
    if (TG_PLANTED(abandon_is_shown_too_early)) show_abandoned(*node);
    State expected = State::runs;
    if (call->state_.compare_exchange_strong(expected, State::abandoned) ||
        TG_PLANTED(abandon_caller_leaves_what_ended)) {
      static_cast<void>(call.release());
      if (!TG_PLANTED(abandon_is_shown_too_early)) show_abandoned(*node);
      throw_abandoned(node->name(), event.reason());
    }
  }
  if (call->exception_) std::rethrow_exception(call->exception_);
}

void AbandonableCall::serve(void* raw) noexcept {
  auto* const call = static_cast<AbandonableCall*>(raw);
  runtime::Flow* const caller = call->caller_;
  runtime::Flow::current().set_os_name(call->name_);
  {
    const InsideCall inside(*call->node_);
    try {
      call->make();
    } catch (...) {
      call->exception_ = current_failure();
    }
  }
  State expected = State::runs;
  if (!call->state_.compare_exchange_strong(expected, State::ended,
                                            TG_ORDER(acq_rel, abandon_thread_publishes_nothing, relaxed))) {
    {
      // What destructors wait for, and the groups that they make, belong to the call.
      const InsideCall inside(*call->node_);
      call->destroy_parts();
      call->exception_ = nullptr;
    }
    delete call;
  } else if (!TG_PLANTED(abandon_thread_does_not_wake)) {
    caller->unpark();  // a flow is never gone
  }
}

}  // namespace tg::inline v0::detail
