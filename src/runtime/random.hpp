// SPDX-License-Identifier: Apache-2.0
// Random numbers, not for secrets.
#pragma once

#include <cstdint>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::runtime {

/// A random number. In an engine, the engine chooses it, so that it is part of the schedule.
TG_EXPORT std::uint64_t random_number() noexcept;

/// Mixes the bits, as S. Vigna's splitmix64 does: numbers that differ little become numbers that look random.
constexpr std::uint64_t mix_bits(std::uint64_t z) noexcept {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}
/// What splitmix64 adds before it mixes again.
inline constexpr std::uint64_t kSplitMixStep = 0x9E3779B97F4A7C15u;

/// Makes a number of at least 0 and less than 1 from a random number.
inline double to_chance(std::uint64_t random) noexcept {
  return static_cast<double>(random >> 11) / 9007199254740992.0;  // 2^53
}

}  // namespace tg::inline v0::runtime
