// SPDX-License-Identifier: Apache-2.0
// The calling task's answers to the hooks of callers_task.hpp, and reasons that name it.
#include "tree/task_context.hpp"

#include <utility>

#include <threadgroup/detail/unique_function.hpp>

#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/fork.hpp"
#include "tree/forest.hpp"
#include "tree/scope_entry.hpp"
#include "tree/subtree_bound.hpp"

namespace tg::inline v0::detail {

namespace {
std::stop_token token_of_calling_task() {
  Node* const node = innermost_node_of_caller();
  return node != nullptr ? node->stop_token() : std::stop_token();
}
std::string label_of_calling_task() {
  const TaskContext* const task = TaskContext::current();
  if (task == nullptr || task->task == nullptr) {
    const Node* const call = call_of_caller();
    return call != nullptr ? "call '" + call->shown_name() + "'" : "code";
  }
  return "task '" + task->task_name() + "' of group '" + Forest::instance().path(*task->node) + "'";
}
void lend_slot_of_calling_task(FunctionRef<void()> wait) {
  const SlotLent lent(TaskContext::current());
  wait();
}
[[gnu::constructor(runtime::at_load::kHooks)]] void hooks_at_load() noexcept {
  callers_task_in_tree = {&token_of_calling_task, &label_of_calling_task, &lend_slot_of_calling_task};
}
}  // namespace

void PermitsLent::lend() noexcept {
  task_->permits_are_lent = true;
  SubtreeBound::give_back(task_->node->subtree_bound(), nullptr);
}

// A stopped task does not wait for its permits, as it does not for its slot: see C1.
void PermitsLent::take_back() noexcept {
  SubtreeBound& bound = *task_->node->subtree_bound();
  if (bound.is_of_this_process()) {  // the wait may have forked
    PermitClaim claim(bound, runtime::Flow::current());
    if (!claim.advance()) {
      const WaitNote note([](const WaitNote&) -> std::string { return "a permit of a subtree's bound"; });
      const WatchedEvents events{&task_->node->event(), nullptr};
      // By the flow that gives a permit back.
      if (wait_unparked([&claim] { return claim.advance(); }, events, TimePoint::never()) !=
          WaitOutcome::ready)
        claim.take_anyway();
    }
  }
  task_->permits_are_lent = false;
}

Reason reason_from_here(ReasonKind kind, std::string message, SourceLocation where) {
  Reason reason;
  reason.kind = kind;
  reason.message = std::move(message);
  reason.where = where;
  if (const TaskContext* task = TaskContext::current(); task != nullptr && task->task != nullptr) {
    reason.task = task->task_name();
  }
  return reason;
}

}  // namespace tg::inline v0::detail
