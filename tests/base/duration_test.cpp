// SPDX-License-Identifier: Apache-2.0
// Lengths of time and points in time: conversion, saturation, and sums that cannot overflow.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

#include <threadgroup/duration.hpp>

namespace tg {
namespace duration_test {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

TEST(Duration, any_chrono_duration_converts) {
  EXPECT_EQ(Duration(1ns).nanos(), 1);
  EXPECT_EQ(Duration(3us).nanos(), 3'000);
  EXPECT_EQ(Duration(7ms).nanos(), 7'000'000);
  EXPECT_EQ(Duration(600s).nanos(), 600'000'000'000);
  EXPECT_EQ(Duration(2h).nanos(), 7'200'000'000'000);
  EXPECT_EQ(Duration(std::chrono::days(1)).nanos(), 86'400'000'000'000);
  EXPECT_EQ(Duration(1.5h).nanos(), 5'400'000'000'000);
  EXPECT_EQ(Duration(std::chrono::duration<float>(0.25f)).nanos(), 250'000'000);
  EXPECT_EQ(Duration(std::chrono::duration<int, std::ratio<1, 3>>(2)).nanos(), 666'666'666);
  EXPECT_EQ(Duration(std::chrono::duration<std::uint8_t>(255)).nanos(), 255'000'000'000);
  EXPECT_EQ(Duration(), Duration(0s));
}

TEST(Duration, what_is_finer_than_a_nanosecond_is_cut_off_towards_zero) {
  using Picoseconds = std::chrono::duration<std::int64_t, std::pico>;
  EXPECT_EQ(Duration(Picoseconds(1'999)).nanos(), 1);
  EXPECT_EQ(Duration(Picoseconds(-1'999)).nanos(), -1);
  EXPECT_EQ(Duration(std::chrono::duration<double>(0.4e-9)).nanos(), 0);
}

TEST(Duration, huge_durations_do_not_overflow) {
  EXPECT_EQ(Duration(std::chrono::hours::max()), Duration::max());
  EXPECT_EQ(Duration(std::chrono::seconds::max()), Duration::max());
  EXPECT_EQ(Duration(std::chrono::years(300)), Duration::max());
  EXPECT_EQ(Duration(std::chrono::years(10'000'000)), Duration::max());
  EXPECT_EQ(Duration(std::chrono::duration<std::uint64_t>(std::numeric_limits<std::uint64_t>::max())),
            Duration::max());
  EXPECT_EQ(Duration(std::chrono::duration<double>(1e300)), Duration::max());
  EXPECT_EQ(Duration(std::chrono::duration<double>::max()), Duration::max());
  EXPECT_EQ(Duration(std::chrono::duration<double>(std::numeric_limits<double>::infinity())),
            Duration::max());
  EXPECT_TRUE(Duration(std::chrono::nanoseconds::max()).is_forever());
  EXPECT_FALSE(Duration(std::chrono::years(290)).is_forever());
}

TEST(Duration, those_far_below_zero_stop_at_the_least) {
  EXPECT_EQ(Duration(std::chrono::hours::min()), Duration::min());
  EXPECT_EQ(Duration(std::chrono::nanoseconds::min()).nanos(), kLeast);
  EXPECT_EQ(Duration(std::chrono::duration<double>(-1e300)), Duration::min());
  EXPECT_EQ(Duration(-5ms).nanos(), -5'000'000);
}

TEST(Duration, a_nan_is_zero) {
  EXPECT_EQ(Duration(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())), Duration());
  EXPECT_EQ(Duration(std::chrono::duration<float>(std::numeric_limits<float>::quiet_NaN())), Duration());
}

TEST(Duration, compares_and_goes_back_to_chrono) {
  EXPECT_LT(Duration(1ms), Duration(1s));
  EXPECT_GT(Duration::max(), Duration(100h));
  EXPECT_LT(Duration::min(), Duration(-1h));
  EXPECT_EQ(Duration(5ms).to_chrono(), 5ms);
}

TEST(Duration, converts_at_compile_time) {
  constexpr Duration d = 2s;
  static_assert(d.nanos() == 2'000'000'000);
  static_assert(Duration(std::chrono::hours::max()).is_forever());
  SUCCEED();
}

TEST(TimePoint, a_sum_stops_at_never) {
  const TimePoint late = TimePoint::from_nanos(kMost - 10);
  EXPECT_TRUE((late + Duration(1h)).is_never());
  EXPECT_TRUE((TimePoint::from_nanos(5) + Duration::max()).is_never());
  EXPECT_TRUE((TimePoint::from_nanos(-5) + Duration::max()).is_never());
  EXPECT_EQ((late + Duration(9ns)).nanos(), kMost - 1);
}

TEST(TimePoint, a_sum_stops_at_the_earliest_point) {
  EXPECT_EQ((TimePoint::from_nanos(-10) + Duration::min()).nanos(), kLeast);
  EXPECT_EQ((TimePoint::from_nanos(10) + Duration(-3ns)).nanos(), 7);
}

TEST(TimePoint, a_difference_stops_at_the_ends) {
  EXPECT_EQ(TimePoint::from_nanos(10) - TimePoint::from_nanos(3), Duration(7ns));
  EXPECT_EQ(TimePoint::from_nanos(3) - TimePoint::from_nanos(10), Duration(-7ns));
  EXPECT_EQ(TimePoint::never() - TimePoint::from_nanos(3), Duration::max());
  EXPECT_EQ(TimePoint::from_nanos(kMost - 1) - TimePoint::from_nanos(-10), Duration::max());
  EXPECT_EQ(TimePoint::from_nanos(kLeast) - TimePoint::from_nanos(10), Duration::min());
}

TEST(TimePoint, never_is_later_than_every_other) {
  EXPECT_LT(TimePoint::from_nanos(kMost - 1), TimePoint::never());
  EXPECT_FALSE(TimePoint().is_never());
}

TEST(Duration, as_text_has_a_unit_that_fits) {
  EXPECT_EQ(to_string(Duration()), "0 s");
  EXPECT_EQ(to_string(20ms), "20 ms");
  EXPECT_EQ(to_string(1500ms), "1.5 s");
  EXPECT_EQ(to_string(90s), "90 s");
  EXPECT_EQ(to_string(10min), "10 min");
  EXPECT_EQ(to_string(2h), "2 h");
  EXPECT_EQ(to_string(1234567ns), "1.235 ms");
  EXPECT_EQ(to_string(17ns), "17 ns");
  EXPECT_EQ(to_string(-20ms), "-20 ms");
  EXPECT_EQ(to_string(Duration::max()), "forever");
  EXPECT_FALSE(to_string(Duration::min()).empty());
}

}  // namespace
}  // namespace duration_test
}  // namespace tg
