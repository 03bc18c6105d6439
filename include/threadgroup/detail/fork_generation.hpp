// SPDX-License-Identifier: Apache-2.0
// Knows whether the process was forked since an object was made.
#pragma once

#include <atomic>
#include <cstdint>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::runtime {

namespace detail {
// Atomic: read by all, written only in a fresh child. Not an `Atomic`, because flows do not race for it.
TG_EXPORT extern std::atomic<std::uint32_t> fork_generation_counter;
}  // namespace detail

/// A number that is another one in a forked child. It counts the forks that the library has seen on the way
/// here.
inline std::uint32_t fork_generation() noexcept {
  return detail::fork_generation_counter.load(std::memory_order_relaxed);
}

}  // namespace tg::inline v0::runtime
