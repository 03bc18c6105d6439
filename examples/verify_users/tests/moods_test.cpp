// SPDX-License-Identifier: Apache-2.0
// Tests of moods.hpp.
#include "moods.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "accounts.hpp"
#include "options.hpp"
#include "service.hpp"

namespace verify_users {
namespace {

using namespace std::chrono_literals;

TEST(Moods, same_seed_same_mood) {
  const ServiceOptions options{.seed = 7};
  for (std::uint64_t attempt = 1; attempt < 100; ++attempt) {
    const Mood one = mood_for(options, "root/home", attempt);
    const Mood two = mood_for(options, "root/home", attempt);
    EXPECT_EQ(one.latency, two.latency);
    EXPECT_EQ(one.unavailable, two.unavailable);
  }
}

TEST(Moods, seed_question_and_attempt_each_matter) {
  const auto latencies = [](std::uint64_t seed, const std::string& key, std::uint64_t first) {
    std::vector<std::chrono::milliseconds> result;
    for (std::uint64_t i = 0; i < 20; ++i) result.push_back(mood_for({.seed = seed}, key, first + i).latency);
    return result;
  };
  EXPECT_NE(latencies(1, "root/home", 1), latencies(2, "root/home", 1));
  EXPECT_NE(latencies(1, "root/home", 1), latencies(1, "root/login", 1));
  EXPECT_NE(latencies(1, "root/home", 1), latencies(1, "root/home", 2));
}

TEST(Moods, latencies_fill_the_range_and_failures_have_their_share) {
  const ServiceOptions options{.seed = 3, .min_latency = 50ms, .max_latency = 54ms, .failure_share = 0.2};
  std::size_t failures = 0;
  std::size_t count_of[5] = {};
  constexpr std::uint64_t kTries = 10'000;
  for (std::uint64_t attempt = 0; attempt < kTries; ++attempt) {
    const Mood mood = mood_for(options, "root/home", attempt);
    ASSERT_GE(mood.latency, 50ms);
    ASSERT_LE(mood.latency, 54ms);
    ++count_of[(mood.latency - 50ms).count()];
    failures += mood.unavailable ? 1 : 0;
  }
  for (const std::size_t count : count_of)
    EXPECT_NEAR(static_cast<double>(count), kTries / 5.0, kTries * 0.02);
  EXPECT_NEAR(static_cast<double>(failures), kTries * 0.2, kTries * 0.02);
}

TEST(Moods, share_of_nothing_and_of_everything_are_exact) {
  for (std::uint64_t attempt = 0; attempt < 1000; ++attempt) {
    EXPECT_FALSE(mood_for({.failure_share = 0.0}, "k", attempt).unavailable);
    EXPECT_TRUE(mood_for({.failure_share = 1.0}, "k", attempt).unavailable);
  }
}

TEST(Moods, first_user_of_most_machines_takes_some_five_seconds_by_default) {
  const Options options;
  std::chrono::milliseconds took{0};
  for (std::uint64_t attempt = 1;; ++attempt) {
    std::chrono::milliseconds slowest{0};
    bool unavailable = false;
    for (const Check check : kChecks) {
      const Mood mood = mood_for(options.service, "root/" + std::string(name_of(check)), attempt);
      slowest = std::max(slowest, mood.latency);
      unavailable |= mood.unavailable;
    }
    took += slowest;
    if (!unavailable) break;
    ASSERT_LE(attempt, options.retries);
    took += options.retry_pause;
  }
  EXPECT_GT(took, std::chrono::seconds{4});
  EXPECT_LT(took, std::chrono::seconds{6});
}

}  // namespace
}  // namespace verify_users
