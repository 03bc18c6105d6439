// SPDX-License-Identifier: Apache-2.0
// How long others may overtake a waiter.
#pragma once

#include <threadgroup/duration.hpp>

namespace tg::inline v0::detail {

/// As in Go's `sync.Mutex` and WebKit's locks. A longer time starves waiters, a shorter one makes a lock wait for
/// threads to wake up.
inline constexpr Duration kPatience = Duration::from_nanos(1'000'000);

}  // namespace tg::inline v0::detail
