// SPDX-License-Identifier: Apache-2.0
// The token that a callable receives.
#include <threadgroup/detail/call.hpp>

#include "tree/scope_entry.hpp"

namespace tg::inline v0::detail {

std::stop_token token_of(Node& group) {
  // A task with an event of its own begins in its scope.
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  return (flow != nullptr && flow->scope != nullptr ? flow->scope->node() : group).stop_token();
}

}  // namespace tg::inline v0::detail
