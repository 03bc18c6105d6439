// SPDX-License-Identifier: Apache-2.0
// The token that a callable receives.
#include <threadgroup/detail/call.hpp>

#include "tree/node.hpp"

namespace tg::inline v0::detail {

std::stop_token token_of(Node& group) { return group.stop_token(); }

}  // namespace tg::inline v0::detail
