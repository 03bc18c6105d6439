// SPDX-License-Identifier: Apache-2.0
// THE wait. Sleeping, joining, waiting for a task, a condition or a key are all this one function.
#pragma once

#include <array>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/event.hpp"

namespace tg::inline v0::detail {

/// What ends a wait early: up to two events, each of which may be absent.
using WatchedEvents = std::array<Event*, 2>;

/// Parks the calling flow until `ready()` is true, or an event is set, or the deadline has come; asked in
/// that order.
///
/// Requires: the flow that makes `ready` true calls `source.release_all()` afterwards. `ready` is the
/// library's own code: short, and it does not park; it may take a lock. The caller holds no lock.
/// Guarantees: no wake-up is lost (Q1); a deadline that has passed does not block.
TG_EXPORT WaitOutcome wait(WaitQueue& source, FunctionRef<bool()> ready, const WatchedEvents& events,
                           TimePoint deadline);

/// The same without a source. Requires: the flow that makes `ready` true unparks the calling flow afterwards.
TG_EXPORT WaitOutcome wait_unparked(FunctionRef<bool()> ready, const WatchedEvents& events,
                                    TimePoint deadline);

/// The same with nothing but events: until an event is set or the deadline has come.
TG_EXPORT WaitOutcome wait(const WatchedEvents& events, TimePoint deadline);

}  // namespace tg::inline v0::detail
