// SPDX-License-Identifier: Apache-2.0
// Rate limits in simulated time, in which they are exact.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace rate_limiter_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

TEST(SimulatedRateLimiter, ten_a_second_with_a_burst_of_five) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    const TimePoint begin = now();
    RateLimiter limiter(10, 5);
    ThreadGroup group("Requests", {.max_concurrent_threads = 4});
    std::vector<Duration> sent;
    for (int i = 0; i < 4; ++i) {
      group.post([&] {
        for (int n = 0; n < 5; ++n) {
          sim::check(limiter.acquire() == WaitOutcome::ready, "there is no other end");
          sent.push_back(now() - begin);
        }
      });
    }
    group.join();
    for (std::size_t i = 0; i < sent.size(); ++i) {
      const Duration due = i < 5 ? Duration() : Duration(100ms * (i - 4));
      sim::check(sent[i] == due, std::to_string(i) + " was sent after " + to_string(sent[i]));
    }
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedRateLimiter, bucket_does_not_overflow) {
  const sim::Report report = sim::explore({.schedules = 10}, [] {
    RateLimiter limiter(1000, 2);
    event_aware_sleep(1h);
    sim::check(limiter.try_acquire(2), "the bucket is full");
    sim::check(!limiter.try_acquire(1), "and holds no more");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedRateLimiter, callers_are_served_in_order_whatever_they_want) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    const TimePoint begin = now();
    RateLimiter limiter(1, 10);
    sim::check(limiter.try_acquire(10), "the bucket is full at first");
    ThreadGroup group("Requests");
    auto many =
        group.add_task([&] { return limiter.acquire(8) == WaitOutcome::ready ? now() - begin : Duration(); });
    event_aware_sleep(1s);
    auto few =
        group.add_task([&] { return limiter.acquire(1) == WaitOutcome::ready ? now() - begin : Duration(); });
    event_aware_sleep(1s);
    sim::check(!limiter.try_acquire(1), "there are two tokens, but others wait for them");
    sim::check(many.get() == Duration(8s), "after " + to_string(many.get()));
    sim::check(few.get() == Duration(9s), "after " + to_string(few.get()));
  });
  EXPECT_FALSE(report.failure) << report.str();
}

// The one in front gives up, by a time-out or a stop; its tokens go to the next one.
TEST(SimulatedRateLimiter, waiter_that_gives_up_takes_nothing_with_it) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    const TimePoint begin = now();
    RateLimiter limiter(1, 10);
    sim::check(limiter.try_acquire(10), "the bucket is full at first");
    ThreadGroup stopped("Stopped");
    auto first = stopped.add_task([&] { return limiter.acquire(10); });
    event_aware_sleep(1s);
    ThreadGroup group("Requests");
    auto second = group.add_task([&] { return limiter.acquire(8, 2s); });
    event_aware_sleep(1s);
    auto third =
        group.add_task([&] { return limiter.acquire(3) == WaitOutcome::ready ? now() - begin : Duration(); });
    event_aware_sleep(500ms);
    stopped.set_event();
    sim::check(first.get() == WaitOutcome::event_set, "it was stopped");
    sim::check(second.get() == WaitOutcome::timed_out, "its tokens would come after eight seconds");
    sim::check(now() - begin == Duration(2500ms), "so it does not wait for them");
    sim::check(third.get() == Duration(3s), "after " + to_string(third.get()));
  });
  EXPECT_FALSE(report.failure) << report.str();
}

}  // namespace
}  // namespace rate_limiter_test
}  // namespace tg
