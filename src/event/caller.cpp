// SPDX-License-Identifier: Apache-2.0
// The event and the token of the calling flow.
#include <threadgroup/detail/caller.hpp>

#include "event/callers_task.hpp"
#include "runtime/flow.hpp"

namespace tg::detail {

Event* event_of_caller() noexcept {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  return flow != nullptr ? flow->event : nullptr;
}

std::stop_token token_of_caller() {
  if (event_of_caller() == nullptr || callers_task_in_tree.token == nullptr) return {};
  return callers_task_in_tree.token();
}

}  // namespace tg::detail
