// SPDX-License-Identifier: Apache-2.0
// The two calls with which a thread sleeps on a word of memory and is woken.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/engine.hpp"
#include "runtime/system_time.hpp"

namespace tg::inline v0::runtime {

/// A word of memory, and what it holds for as long as a flow sleeps on it.
struct SleepWord {
  tg::detail::Atomic<std::uint32_t>& word;
  std::uint32_t expected;
  bool holds() const noexcept { return word.load(std::memory_order_relaxed) == expected; }
};

inline timespec to_timespec(TimePoint point) noexcept { return from_nanos(point.nanos()); }

/// Waits while `word` holds `expected`, until the point on the monotonic clock. Returns early when woken, on
/// a signal, or if the word differs; the caller looks again.
inline void futex_wait(tg::detail::Atomic<std::uint32_t>& word, std::uint32_t expected,
                       TimePoint deadline) noexcept {
#if defined(TG_SIMULATION)
  Engine* const engine = Engine::of_caller();
  if (engine != nullptr && word.look() == expected) engine->sleep(&word, deadline, nullptr);
#else
  const timespec at = to_timespec(deadline);
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_BITSET_PRIVATE, expected,
            deadline.is_never() ? nullptr : &at, nullptr, FUTEX_BITSET_MATCH_ANY);
#endif
}

/// The same for two words: waits while both hold what is expected. False if the system refuses: it has no such call
/// (Linux has it since 5.16), or a filter forbids it.
inline bool futex_wait(const SleepWord& first, const SleepWord& second, TimePoint deadline) noexcept {
#if defined(TG_SIMULATION)
  Engine* const engine = Engine::of_caller();
  if (engine != nullptr && first.word.look() == first.expected && second.word.look() == second.expected)
    engine->sleep(&first.word, deadline, &second.word);
  return true;
#else
  const timespec at = to_timespec(deadline);
  futex_waitv both[2] = {};
  for (const SleepWord* one : {&first, &second}) {
    futex_waitv& wait = both[one == &first ? 0 : 1];
    wait.uaddr = reinterpret_cast<std::uintptr_t>(&one->word);
    wait.val = one->expected;
    wait.flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
  }
  return ::syscall(SYS_futex_waitv, both, 2, 0, deadline.is_never() ? nullptr : &at, CLOCK_MONOTONIC) >= 0 ||
         (errno != ENOSYS && errno != EPERM);
#endif
}

/// Whether the system waits for two words.
inline bool system_waits_for_two_words() noexcept {
  // Without words it refuses: with EINVAL if it knows the call.
  return ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) < 0 && errno == EINVAL;
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
