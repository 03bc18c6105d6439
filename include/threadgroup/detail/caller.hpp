// SPDX-License-Identifier: Apache-2.0
// The event that ends the waits of the calling flow, and the token that goes with it.
#pragma once

#include <stop_token>

#include <threadgroup/detail/export.hpp>

namespace tg::detail {

class Event;

/// The event of the group whose task the calling flow runs; null outside a task.
TG_EXPORT Event* event_of_caller() noexcept;

/// A token that is stopped together with that event; outside a task, one that is never stopped.
TG_EXPORT std::stop_token token_of_caller();

}  // namespace tg::detail
