// SPDX-License-Identifier: Apache-2.0
// The steady clock and the deadlines made from it.
#include <gtest/gtest.h>

#include <chrono>

#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {
namespace clock_test {
namespace {

using namespace std::chrono_literals;

TEST(Clock, never_goes_back) {
  TimePoint last = now();
  for (int i = 0; i < 10'000; ++i) {
    const TimePoint t = now();
    ASSERT_GE(t, last);
    last = t;
  }
}

TEST(Clock, the_coarse_one_is_never_ahead) {
  for (int i = 0; i < 1'000; ++i) {
    const TimePoint coarse = coarse_now();
    ASSERT_LE(coarse, now());
  }
}

TEST(Clock, agrees_with_the_steady_clock_of_the_standard_library) {
  const auto before = std::chrono::steady_clock::now().time_since_epoch();
  const TimePoint t = now();
  const auto after_it = std::chrono::steady_clock::now().time_since_epoch();
  EXPECT_LE(before, std::chrono::nanoseconds(t.nanos()));
  EXPECT_GE(after_it, std::chrono::nanoseconds(t.nanos()));
}

TEST(Clock, a_deadline_lies_its_duration_ahead) {
  const TimePoint before = now();
  const TimePoint deadline = runtime::after(1h);
  EXPECT_GE(deadline, before + Duration(1h));
  EXPECT_LE(deadline, now() + Duration(1h));
}

TEST(Clock, a_deadline_without_end_never_comes) {
  EXPECT_TRUE(runtime::after(Duration::max()).is_never());
  EXPECT_TRUE(runtime::after(std::chrono::hours::max()).is_never());
  EXPECT_TRUE(runtime::after(Duration::from_nanos(Duration::max().nanos() - 1)).is_never());
}

TEST(Clock, a_deadline_of_zero_or_less_has_passed) {
  for (const Duration d : {Duration(0s), Duration(-1s), Duration::min()}) {
    const TimePoint deadline = runtime::after(d);
    EXPECT_LE(deadline, now());
  }
}

}  // namespace
}  // namespace clock_test
}  // namespace tg::inline v0::runtime
