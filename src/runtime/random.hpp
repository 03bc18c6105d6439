// SPDX-License-Identifier: Apache-2.0
// Random numbers, not for secrets.
#pragma once

#include <cstdint>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::runtime {

/// A random number; that of the caller's engine, if there is one, so that chance is part of a schedule.
TG_EXPORT std::uint64_t random_number() noexcept;

/// At least 0 and less than 1.
inline double to_chance(std::uint64_t random) noexcept {
  return static_cast<double>(random >> 11) / 9007199254740992.0;  // 2^53
}

}  // namespace tg::inline v0::runtime
