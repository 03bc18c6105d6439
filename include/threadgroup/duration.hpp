// SPDX-License-Identifier: Apache-2.0
// Lengths of time and points in time that are made from any std::chrono duration and cannot overflow.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>
#include <string>
#include <type_traits>

#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

/// A length of time in nanoseconds, made from any `std::chrono` duration.
///
///     group.join(600s);
///     group.join(1.5h);
///     group.join(std::chrono::hours::max());  // waits without a time-out
///
/// Guarantees: nothing overflows. A duration too long for 64 bits of nanoseconds (292 years) becomes
/// `Duration::max()`, which every wait takes as "no time-out". A duration too far below zero becomes
/// `Duration::min()`. A NaN becomes zero.
class Duration {
 public:
  constexpr Duration() = default;

  /// Converts any duration. Implicit, so that `group.join(10s)` compiles.
  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> d) : nanos_(saturated(d)) {}

  /// No time-out.
  static constexpr Duration max() { return from_nanos(std::numeric_limits<std::int64_t>::max()); }
  /// The shortest duration, far below zero.
  static constexpr Duration min() { return from_nanos(std::numeric_limits<std::int64_t>::min()); }
  /// A duration of this many nanoseconds.
  static constexpr Duration from_nanos(std::int64_t nanos) {
    Duration d;
    d.nanos_ = nanos;
    return d;
  }

  /// The duration in nanoseconds.
  constexpr std::int64_t nanos() const { return nanos_; }
  /// True for `max()`.
  constexpr bool is_forever() const { return nanos_ == std::numeric_limits<std::int64_t>::max(); }
  /// The same duration as `std::chrono` has it.
  constexpr std::chrono::nanoseconds to_chrono() const { return std::chrono::nanoseconds(nanos_); }

  /// Compares lengths.
  friend constexpr auto operator<=>(Duration, Duration) = default;

 private:
  template <class Rep, class Period>
  static constexpr std::int64_t saturated(std::chrono::duration<Rep, Period> d) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
    using PerNano = std::ratio_divide<Period, std::nano>;
    if constexpr (std::is_integral_v<Rep> && sizeof(Rep) <= 8) {
      // 128 bits are enough for any count times any numerator of a std::ratio in use.
      __extension__ using Wide = __int128;
      const auto nanos = static_cast<Wide>(d.count()) * PerNano::num / PerNano::den;
      if (nanos >= kMost) return kMost;
      if (nanos <= kLeast) return kLeast;
      return static_cast<std::int64_t>(nanos);
    } else {
      const auto nanos = static_cast<long double>(d.count()) * static_cast<long double>(PerNano::num) /
                         static_cast<long double>(PerNano::den);
      if (nanos != nanos) return 0;
      if (nanos >= static_cast<long double>(kMost)) return kMost;
      if (nanos <= static_cast<long double>(kLeast)) return kLeast;
      return static_cast<std::int64_t>(nanos);
    }
  }

  std::int64_t nanos_ = 0;
};

/// Text for people: "20 ms", "1.5 s", "90 s", "10 min"; at most three digits after the point.
TG_EXPORT std::string to_string(Duration duration);

/// A point on the library's steady clock, in nanoseconds. `tg::now()` reads that clock.
class TimePoint {
 public:
  constexpr TimePoint() = default;
  /// The point this many nanoseconds after the clock's zero.
  static constexpr TimePoint from_nanos(std::int64_t nanos) {
    TimePoint t;
    t.nanos_ = nanos;
    return t;
  }
  /// Later than every other point: no deadline.
  static constexpr TimePoint never() { return from_nanos(std::numeric_limits<std::int64_t>::max()); }

  /// Nanoseconds since the clock's zero.
  constexpr std::int64_t nanos() const { return nanos_; }
  /// True for `never()`.
  constexpr bool is_never() const { return nanos_ == std::numeric_limits<std::int64_t>::max(); }

  /// The sum is cut off at `never()`, or at the earliest point, instead of overflowing.
  friend constexpr TimePoint operator+(TimePoint t, Duration d) {
    std::int64_t sum = 0;
    if (d.is_forever()) return never();
    if (__builtin_add_overflow(t.nanos_, d.nanos(), &sum)) {
      return d.nanos() > 0 ? never() : from_nanos(std::numeric_limits<std::int64_t>::min());
    }
    return from_nanos(sum);
  }
  /// The time from `b` to `a`, cut off at `Duration::max()` and `Duration::min()`.
  friend constexpr Duration operator-(TimePoint a, TimePoint b) {
    std::int64_t difference = 0;
    if (a.is_never()) return Duration::max();
    if (__builtin_sub_overflow(a.nanos_, b.nanos_, &difference))
      return a > b ? Duration::max() : Duration::min();
    return Duration::from_nanos(difference);
  }
  /// Compares points: the earlier one is less.
  friend constexpr auto operator<=>(TimePoint, TimePoint) = default;

 private:
  std::int64_t nanos_ = 0;
};

}  // namespace v0
}  // namespace tg
