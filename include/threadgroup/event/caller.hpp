// SPDX-License-Identifier: Apache-2.0
// The event that ends the waits of the calling flow, and the token that goes with it.
#pragma once

#include <stop_token>

#include <threadgroup/event/event.hpp>
#include <threadgroup/runtime/flow.hpp>

namespace tg::detail {

/// The event of the group that the calling flow works for, or null where there is none.
inline Event* event_of_caller() noexcept {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  return flow != nullptr ? static_cast<Event*>(flow->event) : nullptr;
}

/// A token that is stopped together with that event; outside a task one that never is.
std::stop_token token_of_caller();

/// How the tree finds that token: it knows the group behind the event, and fills this in while the library is
/// loaded.
using TokenFinder = std::stop_token (*)();
extern TokenFinder token_of_caller_in_tree;

}  // namespace tg::detail
