// SPDX-License-Identifier: Apache-2.0
// Times for system calls, up to the latest that there is.
#include "runtime/system_time.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace tg::inline v0::runtime {
namespace system_time_test {
namespace {

constexpr long kMost = std::numeric_limits<long>::max();
constexpr timespec kLatest{kMost, kNanosPerSecond - 1};

constexpr bool are_equal(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

TEST(SystemTime, is_added_and_subtracted_with_a_carry) {
  EXPECT_TRUE(are_equal(sum({1, 600'000'000}, {2, 500'000'000}), {4, 100'000'000}));
  EXPECT_TRUE(are_equal(difference({4, 100'000'000}, {2, 500'000'000}), {1, 600'000'000}));
}

TEST(SystemTime, ends_at_the_latest_time_and_at_zero) {
  EXPECT_TRUE(are_equal(sum(kLatest, {0, 1}), kLatest));
  EXPECT_TRUE(are_equal(sum({kMost, 0}, {kMost, 0}), kLatest));
  EXPECT_TRUE(are_equal(sum({kMost, 500'000'000}, {0, 500'000'000}), kLatest));
  EXPECT_TRUE(are_equal(from_timeval({kMost, 1'000'000}), kLatest));
  EXPECT_TRUE(are_equal(difference({1, 0}, {1, 1}), {0, 0}));
  EXPECT_TRUE(are_equal(difference({0, 0}, kLatest), {0, 0}));
}

TEST(SystemTime, comes_from_other_units) {
  EXPECT_TRUE(are_equal(from_nanos(std::int64_t{3'000'000'001}), {3, 1}));
  EXPECT_TRUE(are_equal(from_nanos(-1), {0, 0}));
  EXPECT_TRUE(are_equal(from_milliseconds(2'003), {2, 3'000'000}));
  EXPECT_TRUE(are_equal(from_timeval({1, 2'000'003}), {3, 3'000}));
}

TEST(SystemTime, is_valid_with_less_than_a_second_of_nanoseconds) {
  EXPECT_TRUE(is_valid({0, 0}));
  EXPECT_TRUE(is_valid(kLatest));
  EXPECT_FALSE(is_valid({0, kNanosPerSecond}));
  EXPECT_FALSE(is_valid({-1, 0}));
  EXPECT_FALSE(is_valid({0, -1}));
}

}  // namespace
}  // namespace system_time_test
}  // namespace tg::inline v0::runtime
