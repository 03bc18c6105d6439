// SPDX-License-Identifier: Apache-2.0
// The two calls with which a thread sleeps on a word of memory and is woken.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::runtime {

/// Waits while `word` holds `expected`, until the point on the monotonic clock. Returns early when woken, on
/// a signal, or if the word differs; the caller looks again.
inline void futex_wait(tg::detail::Atomic<std::uint32_t>& word, std::uint32_t expected,
                       TimePoint deadline) noexcept {
  timespec at{};
  const std::int64_t nanos = deadline.nanos() > 0 ? deadline.nanos() : 0;
  at.tv_sec = static_cast<std::time_t>(nanos / 1'000'000'000);
  at.tv_nsec = static_cast<long>(nanos % 1'000'000'000);
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_BITSET_PRIVATE, expected,
            deadline.is_never() ? nullptr : &at, nullptr, FUTEX_BITSET_MATCH_ANY);
}

/// Says how many it woke, or -1 if the memory of the word is gone.
inline long futex_wake(tg::detail::Atomic<std::uint32_t>& word, int most) noexcept {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, most, nullptr,
                   nullptr, 0);
}

}  // namespace tg::inline v0::runtime
