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

#include "runtime/engine.hpp"

namespace tg::inline v0::runtime {

/// Waits while `word` holds `expected`, until the point on the monotonic clock. Returns early when woken, on
/// a signal, or if the word differs; the caller looks again.
inline void futex_wait(tg::detail::Atomic<std::uint32_t>& word, std::uint32_t expected,
                       TimePoint deadline) noexcept {
#if defined(TG_SIMULATION)
  Engine* const engine = Engine::of_caller();
  if (engine != nullptr && word.look() == expected) engine->sleep(&word, deadline);
#else
  timespec at{};
  const std::int64_t nanos = deadline.nanos() > 0 ? deadline.nanos() : 0;
  at.tv_sec = static_cast<std::time_t>(nanos / 1'000'000'000);
  at.tv_nsec = static_cast<long>(nanos % 1'000'000'000);
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_BITSET_PRIVATE, expected,
            deadline.is_never() ? nullptr : &at, nullptr, FUTEX_BITSET_MATCH_ANY);
#endif
}

/// Says how many it woke, or -1 if the memory of the word is gone.
inline long futex_wake(tg::detail::Atomic<std::uint32_t>& word, int most) noexcept {
#if defined(TG_SIMULATION)
  return Engine::of_caller() != nullptr ? Engine::of_caller()->wake(&word, most, false) : 0;
#else
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, most, nullptr,
                   nullptr, 0);
#endif
}

}  // namespace tg::inline v0::runtime
