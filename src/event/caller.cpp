// SPDX-License-Identifier: Apache-2.0
// Asks the tree for the token.
#include <threadgroup/detail/caller.hpp>

#include "event/callers_task.hpp"

namespace tg::inline v0::detail {

std::stop_token token_of_caller() {
  if (event_of_caller() == nullptr || callers_task_in_tree.token == nullptr) return {};
  return callers_task_in_tree.token();
}

}  // namespace tg::inline v0::detail
