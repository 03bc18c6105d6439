// SPDX-License-Identifier: Apache-2.0
// The event that ends the waits of the calling flow.
#pragma once

#include <threadgroup/event/event.hpp>
#include <threadgroup/runtime/flow.hpp>

namespace tg::detail {

/// The event of the group that the calling flow works for, or null where there is none.
inline Event* event_of_caller() noexcept {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  return flow != nullptr ? static_cast<Event*>(flow->event) : nullptr;
}

}  // namespace tg::detail
