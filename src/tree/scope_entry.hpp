// SPDX-License-Identifier: Apache-2.0
// The innermost node of a flow: of its innermost scope, or else of its task.
#pragma once

#include <threadgroup/scope.hpp>

#include "runtime/flow.hpp"
#include "tree/node.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

/// The parent of the groups and scopes that the flow makes; its event stops the flow's waits. Null outside scopes and
/// tasks.
inline Node* innermost_node(const runtime::Flow& flow) noexcept {
  if (flow.scope != nullptr) return &flow.scope->node();
  return flow.task != nullptr ? flow.task->node : nullptr;
}

inline Node* innermost_node_of_caller() noexcept {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  return flow != nullptr ? innermost_node(*flow) : nullptr;
}

/// The group that the calling flow is part of: the group of its task, or the group to which its thread is attached.
/// Null if there is none.
Node* group_of_caller() noexcept;

/// The call of `abandonable` that the calling flow makes for another one. Null if it makes none, or if it runs a task.
Node* call_of_caller() noexcept;

/// The node that stays busy until the calling flow is done: the group of its task, or the call that it makes for a task.
/// Null if there is neither; then no group waits for the flow.
Node* busy_node_of_caller() noexcept;

/// Whether a call of `abandonable` that the flow makes is below `busy_node_of_caller`, and is awaited by the same task. It
/// is not if the flow is a call that is attached to a group: the call that it makes is below that group, and no task there
/// waits for it.
bool task_waits_for_calls_of_caller() noexcept;

}  // namespace tg::inline v0::detail
