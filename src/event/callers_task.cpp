// SPDX-License-Identifier: Apache-2.0
// Asks the tree, if there is one.
#include "event/callers_task.hpp"

namespace tg::inline v0::detail {

constinit CallersTask callers_task_in_tree;

void while_slot_is_lent(FunctionRef<void()> wait) {
  if (callers_task_in_tree.while_slot_is_lent == nullptr) return wait();
  callers_task_in_tree.while_slot_is_lent(wait);
}

std::string label_of_callers_task() {
  return callers_task_in_tree.label != nullptr ? callers_task_in_tree.label() : "code";
}

}  // namespace tg::inline v0::detail
