// SPDX-License-Identifier: Apache-2.0
// The system's clocks and times, for arguments of system calls. The library itself uses `steady_clock.hpp`.
#pragma once

#include <sys/time.h>

#include <cstdint>
#include <ctime>
#include <limits>

namespace tg::inline v0::runtime {

static_assert(sizeof(timespec) == 2 * sizeof(long),
              "calls that are made by their numbers take the kernel's own timespec");

constexpr long kNanosPerSecond = 1'000'000'000;

inline timespec time_on(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now;
}

/// Not a clock of processor time, nor one that the kernel may refuse.
constexpr bool is_ordinary(clockid_t clock) noexcept {
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

/// Whether a call accepts it as a time: neither negative, nor with a second of nanoseconds.
constexpr bool is_valid(const timespec& time) noexcept {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < kNanosPerSecond;
}

/// Of valid times. The latest time that there is if the sum is later.
constexpr timespec sum(const timespec& a, const timespec& b) noexcept {
  const long nanos = a.tv_nsec + b.tv_nsec;
  timespec result{0, nanos % kNanosPerSecond};
  if (__builtin_add_overflow(a.tv_sec, b.tv_sec, &result.tv_sec) ||
      __builtin_add_overflow(result.tv_sec, nanos / kNanosPerSecond, &result.tv_sec))
    return {std::numeric_limits<std::time_t>::max(), kNanosPerSecond - 1};
  return result;
}

/// Of valid times. Zero if `b` is the later one.
constexpr timespec difference(const timespec& a, const timespec& b) noexcept {
  timespec result{a.tv_sec - b.tv_sec, a.tv_nsec - b.tv_nsec};
  if (result.tv_nsec < 0) {
    --result.tv_sec;
    result.tv_nsec += kNanosPerSecond;
  }
  return result.tv_sec < 0 ? timespec{} : result;
}

/// Zero if the number is negative.
constexpr timespec from_nanos(std::int64_t nanos) noexcept {
  if (nanos < 0) return {};
  return {static_cast<std::time_t>(nanos / kNanosPerSecond), static_cast<long>(nanos % kNanosPerSecond)};
}

/// Zero if the number is negative.
constexpr timespec from_milliseconds(int milliseconds) noexcept {
  return from_nanos(std::int64_t{milliseconds} * 1'000'000);
}

/// Requires that neither part is negative. There may be more than a second of microseconds.
constexpr timespec from_timeval(const timeval& time) noexcept {
  return sum({time.tv_sec, 0},
             {time.tv_usec / 1'000'000, static_cast<long>(time.tv_usec % 1'000'000 * 1'000)});
}

}  // namespace tg::inline v0::runtime
