// SPDX-License-Identifier: Apache-2.0
#include "tree/while_lent.hpp"

#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

void while_lent(TaskContext* task, bool waits_for_own_group, FunctionRef<void()> wait) {
  const SlotLent lent(task, waits_for_own_group);
  wait();
}

}  // namespace tg::inline v0::detail
