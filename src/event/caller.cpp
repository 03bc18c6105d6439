// SPDX-License-Identifier: Apache-2.0
// The token of the calling flow.
#include <threadgroup/event/caller.hpp>

namespace tg::detail {

constinit TokenFinder token_of_caller_in_tree = nullptr;

std::stop_token token_of_caller() {
  if (event_of_caller() == nullptr || token_of_caller_in_tree == nullptr) return {};
  return token_of_caller_in_tree();
}

}  // namespace tg::detail
