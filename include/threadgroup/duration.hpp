// SPDX-License-Identifier: Apache-2.0
// Lengths of time that take any std::chrono duration and cannot overflow, and the deadline made from one.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <string>
#include <type_traits>

namespace tg {

/// A length of time in nanoseconds, made from any `std::chrono` duration.
///
///     group.join(600s);  group.join(1.5h);  group.join(std::chrono::hours::max());   // all are fine
///
/// Guarantees: a duration too long for 64 bits of nanoseconds (292 years) becomes `Duration::max()`, which
/// every wait reads as "for ever"; one too far below zero becomes `Duration::min()`; a NaN is zero.
class Duration {
 public:
  constexpr Duration() = default;

  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> d)
      : nanos_(saturated(d)) {}  // implicit: it is what is typed

  static constexpr Duration max() { return from_nanos(std::numeric_limits<std::int64_t>::max()); }
  static constexpr Duration min() { return from_nanos(std::numeric_limits<std::int64_t>::min()); }
  static constexpr Duration from_nanos(std::int64_t nanos) {
    Duration d;
    d.nanos_ = nanos;
    return d;
  }

  constexpr std::int64_t nanos() const { return nanos_; }
  constexpr bool is_forever() const { return nanos_ == std::numeric_limits<std::int64_t>::max(); }
  constexpr std::chrono::nanoseconds to_chrono() const { return std::chrono::nanoseconds(nanos_); }

  friend constexpr auto operator<=>(Duration, Duration) = default;

 private:
  template <class Rep, class Period>
  static constexpr std::int64_t saturated(std::chrono::duration<Rep, Period> d) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
    using PerNano = std::ratio_divide<Period, std::nano>;
    if constexpr (std::is_integral_v<Rep> && sizeof(Rep) <= 8) {
      // 128 bits hold any count times any numerator that std::ratio can name in practice.
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

/// For people: "20 ms", "1.5 s", "90 s", "10 min"; at most three digits after the point.
std::string to_string(Duration duration);

/// A point on the library's steady clock, in nanoseconds; `tg::now()` reads it.
class TimePoint {
 public:
  constexpr TimePoint() = default;
  static constexpr TimePoint from_nanos(std::int64_t nanos) {
    TimePoint t;
    t.nanos_ = nanos;
    return t;
  }
  /// Later than every other point: a deadline that never comes.
  static constexpr TimePoint never() { return from_nanos(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t nanos() const { return nanos_; }
  constexpr bool is_never() const { return nanos_ == std::numeric_limits<std::int64_t>::max(); }

  /// The sum stops at `never()`, or at the earliest point, instead of overflowing.
  friend constexpr TimePoint operator+(TimePoint t, Duration d) {
    std::int64_t sum = 0;
    if (d.is_forever()) return never();
    if (__builtin_add_overflow(t.nanos_, d.nanos(), &sum)) {
      return d.nanos() > 0 ? never() : from_nanos(std::numeric_limits<std::int64_t>::min());
    }
    return from_nanos(sum);
  }
  friend constexpr Duration operator-(TimePoint a, TimePoint b) {
    std::int64_t difference = 0;
    if (a.is_never()) return Duration::max();
    if (__builtin_sub_overflow(a.nanos_, b.nanos_, &difference))
      return a > b ? Duration::max() : Duration::min();
    return Duration::from_nanos(difference);
  }
  friend constexpr auto operator<=>(TimePoint, TimePoint) = default;

 private:
  std::int64_t nanos_ = 0;
};

}  // namespace tg
