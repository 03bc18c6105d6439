// SPDX-License-Identifier: Apache-2.0
// The library's only clock.
#pragma once

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::runtime {

/// The time on the steady clock.
TG_EXPORT TimePoint now() noexcept;

/// The time on the system's steady clock, also within an engine.
TG_EXPORT TimePoint system_now() noexcept;

/// The same clock, read more cheaply and late by up to a tick of the kernel (1 to 10 ms). It is good for
/// "running for 12 s", not for deadlines.
TG_EXPORT TimePoint coarse_now() noexcept;

/// The point `d` from now. A zero or negative `d` is a deadline that has passed.
inline TimePoint after(Duration d) noexcept { return d.is_forever() ? TimePoint::never() : now() + d; }

}  // namespace tg::inline v0::runtime
