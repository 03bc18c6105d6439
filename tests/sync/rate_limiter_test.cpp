// SPDX-License-Identifier: Apache-2.0
// The limit on how often something may happen. Exact times are tested in simulated time, in
// tests/simulation/rate_limiter_test.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/core.hpp>

#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg {
namespace rate_limiter_test {
namespace {

using namespace std::chrono_literals;

constexpr double kOnceAnHour = 1.0 / 3600;

TEST(RateLimiter, bucket_is_full_at_first_and_empty_after_the_burst) {
  RateLimiter limiter(kOnceAnHour, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.acquire(), WaitOutcome::ready);
  EXPECT_FALSE(limiter.try_acquire());
  EXPECT_EQ(limiter.acquire(1, 0s), WaitOutcome::timed_out);
  EXPECT_TRUE(limiter.try_acquire(0));
}

TEST(RateLimiter, caller_waits_until_its_tokens_are_there) {
  RateLimiter limiter(1000, 1);
  const TimePoint begin = now();
  for (int i = 0; i < 11; ++i) EXPECT_EQ(limiter.acquire(), WaitOutcome::ready);
  EXPECT_GE(now() - begin, Duration(9999us));
}

TEST(RateLimiter, tokens_may_be_fractions) {
  RateLimiter limiter(kOnceAnHour, 1);
  EXPECT_TRUE(limiter.try_acquire(0.5));
  EXPECT_TRUE(limiter.try_acquire(0.25));
  EXPECT_FALSE(limiter.try_acquire(0.5));
}

TEST(RateLimiter, wait_that_cannot_be_in_time_ends_at_once) {
  RateLimiter limiter(kOnceAnHour, 1);
  EXPECT_TRUE(limiter.try_acquire());
  const TimePoint begin = now();
  EXPECT_EQ(limiter.acquire(1, 30min), WaitOutcome::timed_out);
  EXPECT_LT(now() - begin, Duration(10min));
}

TEST(RateLimiter, stopped_caller_takes_nothing) {
  RateLimiter limiter(kOnceAnHour, 1);
  ThreadGroup group("Requests");
  auto outcome = group.add_task([&] {
    thread_utils::set_event();
    return limiter.acquire();
  });
  EXPECT_EQ(outcome.get(), WaitOutcome::event_set);
  EXPECT_TRUE(limiter.try_acquire());
}

TEST(RateLimiter, stopped_waiter_lets_those_behind_it_move_up) {
  RateLimiter limiter(20, 1000);
  EXPECT_TRUE(limiter.try_acquire(1000));
  ThreadGroup first("First");
  std::latch running(1);
  auto many = first.add_task([&] {
    running.count_down();
    return limiter.acquire(1000);  // 50 seconds, however busy the machine is
  });
  running.wait();
  // Once it waits, `try_acquire` gets no token, even if there is one.
  test::eventually([&] { return !limiter.try_acquire(1) && !limiter.try_acquire(0); });
  ThreadGroup second("Second");
  auto few = second.add_task([&] { return limiter.acquire(1); });
  first.set_event();
  EXPECT_EQ(many.get(), WaitOutcome::event_set);
  EXPECT_EQ(few.get(), WaitOutcome::ready);
}

TEST(RateLimiter, stop_ends_the_waits_of_all) {
  RateLimiter limiter(kOnceAnHour, 1);
  EXPECT_TRUE(limiter.try_acquire());
  ThreadGroup group("Requests", {.max_concurrent_threads = 5});
  std::latch running(5);
  std::vector<TaskHandle<WaitOutcome>> waits;
  for (int i = 0; i < 5; ++i) {
    waits.push_back(group.add_task([&] {
      running.count_down();
      return limiter.acquire();
    }));
  }
  running.wait();
  group.set_event();
  for (auto& wait : waits) EXPECT_EQ(wait.get(), WaitOutcome::event_set);
}

TEST(RateLimiter, misuse_is_refused) {
  EXPECT_THROW(RateLimiter(0, 1), std::invalid_argument);
  EXPECT_THROW(RateLimiter(1, 0), std::invalid_argument);
  EXPECT_THROW(RateLimiter(-1, 1), std::invalid_argument);
  EXPECT_THROW(RateLimiter(std::numeric_limits<double>::infinity(), 1), std::invalid_argument);
  EXPECT_THROW(RateLimiter(1, std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  RateLimiter limiter(1, 5);
  EXPECT_THROW(static_cast<void>(limiter.acquire(6)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(limiter.acquire(-1)), std::invalid_argument);
  EXPECT_THROW(limiter.try_acquire(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  try {
    limiter.try_acquire(6);
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("take them in several calls"), std::string::npos);
  }
  EXPECT_TRUE(limiter.try_acquire(5));
}

TEST(RateLimiter, inherited_limiter_is_refused_in_a_forked_child) {
  RateLimiter limiter(1, 1);
  EXPECT_EQ(test::in_child([&] {
              REQUIRE_IN_CHILD(test::throws_forked([&] { limiter.try_acquire(); }));
              REQUIRE_IN_CHILD(test::throws_forked([&] { static_cast<void>(limiter.acquire()); }));
            }),
            0);
}

}  // namespace
}  // namespace rate_limiter_test
}  // namespace tg
