// SPDX-License-Identifier: Apache-2.0
// Hooks through which lower layers ask the tree about the calling task.
#pragma once

#include <stop_token>
#include <string>

#include <threadgroup/detail/unique_function.hpp>

#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

/// The event of the group that the calling flow works for, or null where there is none.
inline Event* event_of_caller() noexcept {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  return flow != nullptr ? flow->event : nullptr;
}

/// Calls `wait` while the calling task's slot is free for others of its group. Outside a task, or if the slot
/// is lent already, it only calls `wait`.
void while_slot_is_lent(FunctionRef<void()> wait);

/// "task 'x' of group 'MainThread/g'"; "code" outside a task.
std::string label_of_callers_task();

/// How the tree answers: it knows the group of the calling task, and fills this in while the library is
/// loaded.
struct CallersTask {
  std::stop_token (*token)() = nullptr;
  std::string (*label)() = nullptr;
  void (*while_slot_is_lent)(FunctionRef<void()> wait) = nullptr;
};
extern CallersTask callers_task_in_tree;

}  // namespace tg::inline v0::detail
