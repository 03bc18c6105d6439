// SPDX-License-Identifier: Apache-2.0
// The primitives in simulated time: what waits is named, time-outs are exact, misuse fails.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace sync_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

TEST(SimulatedSync, a_mutex_excludes_in_each_order) {
  const sim::Report report = sim::explore({.schedules = 300}, [] {
    Mutex mutex;
    bool inside = false;
    ThreadGroup group("Lockers");
    for (int i = 0; i < 3; ++i) {
      group.post([&] {
        const std::scoped_lock lock(mutex);
        sim::check(!inside, "one task has the lock");
        inside = true;
        event_aware_sleep(1ms);
        inside = false;
      });
    }
    group.join();
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedSync, time_outs_of_all_primitives_are_exact) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    Mutex mutex;
    const std::scoped_lock held(mutex);
    Mutex other;
    ConditionVariable changed;
    Semaphore semaphore(0);
    Latch latch(1);
    Barrier barrier(2);
    const TimePoint begin = now();
    ThreadGroup group("Waiters");
    const auto expect_time_out = [&](auto wait) {
      group.post([&, wait] {
        sim::check(wait() == WaitOutcome::timed_out, "nothing else ends it");
        sim::check(now() - begin == Duration(1h), "after " + to_string(now() - begin));
      });
    };
    expect_time_out([&] { return mutex.event_aware_lock(1h); });
    expect_time_out([&] {
      std::unique_lock lock(other);
      return changed.wait(
          lock, [] { return false; }, 1h);
    });
    expect_time_out([&] { return semaphore.acquire(1, 1h); });
    expect_time_out([&] { return latch.wait(1h); });
    expect_time_out([&] { return barrier.arrive_and_wait(1h); });
    group.join();
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedSync, a_stop_ends_all_waits) {
  const sim::Report report = sim::explore({.schedules = 200}, [] {
    Mutex mutex;
    const std::scoped_lock held(mutex);
    Semaphore semaphore(0);
    Latch latch(1);
    Barrier barrier(3);
    ThreadGroup group("Waiters");
    group.post([&] { sim::check(mutex.event_aware_lock() == WaitOutcome::event_set, "the lock is held"); });
    group.post([&] { sim::check(semaphore.acquire() == WaitOutcome::event_set, "there is no permit"); });
    group.post([&] { sim::check(latch.wait() == WaitOutcome::event_set, "the count is one"); });
    for (int i = 0; i < 2; ++i)
      group.post([&] { sim::check(barrier.arrive_and_wait() != WaitOutcome::ready, "one is missing"); });
    group.set_event("enough");
    group.join();
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedSync, the_waiters_of_a_deadlock_are_named) {
  const sim::Report report = sim::explore({.schedules = 20}, [] {
    Mutex mutex;
    Mutex other;
    ConditionVariable changed;
    Semaphore semaphore(1);
    Latch latch(1);
    Barrier barrier(2);
    mutex.lock();
    ThreadGroup group("Stuck");
    group.post([&] { mutex.lock(); });
    group.post([&] {
      std::unique_lock lock(other);
      static_cast<void>(changed.wait(lock, [] { return false; }));
    });
    group.post([&] { static_cast<void>(semaphore.acquire(2)); });
    group.post([&] { static_cast<void>(latch.wait()); });
    group.post([&] { static_cast<void>(barrier.arrive_and_wait()); });
    group.join();
  });
  ASSERT_TRUE(report.failure);
  for (const char* const text :
       {"waits for a mutex", "waits for a condition variable", "waits for a semaphore that has 1 permits",
        "waits for a latch", "waits for a barrier where 1 of 2 have arrived"})
    EXPECT_NE(report.failure->waits.find(text), std::string::npos) << text << "\n" << report.str();
}

// Two locks in two orders: some schedules deadlock, and the simulation finds one.
TEST(SimulatedSync, locks_in_two_orders_are_found_to_deadlock) {
  const sim::Report report = sim::explore({.schedules = 1000}, [] {
    Mutex first;
    Mutex second;
    ThreadGroup group("Lockers");
    const auto lock_both = [](Mutex& a, Mutex& b) {
      const std::scoped_lock one(a);
      event_aware_sleep(1ms);
      const std::scoped_lock two(b);
    };
    group.post([&] { lock_both(first, second); });
    group.post([&] { lock_both(second, first); });
    group.join();
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("deadlock"), std::string::npos) << report.str();
}

TEST(SimulatedSync, destroying_a_primitive_with_waiters_fails) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    std::optional<Semaphore> semaphore(std::in_place, 0);
    ThreadGroup group("Users");
    group.post([&] { static_cast<void>(semaphore->acquire()); });
    event_aware_sleep(1ms);
    semaphore.reset();
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("a tg::Semaphore was destroyed while it was in use"), std::string::npos)
      << report.str();
}

TEST(SimulatedSync, destroying_a_channel_or_a_limiter_with_waiters_fails) {
  const sim::Report of_channel = sim::explore({.schedules = 50}, [] {
    std::optional<Channel<int>> channel(std::in_place, 1);
    ThreadGroup group("Users");
    group.post([&] { static_cast<void>(channel->receive()); });
    event_aware_sleep(1ms);
    channel.reset();
  });
  ASSERT_TRUE(of_channel.failure);
  EXPECT_NE(of_channel.failure->what.find("a tg::Channel was destroyed while"), std::string::npos)
      << of_channel.str();
  const sim::Report of_limiter = sim::explore({.schedules = 50}, [] {
    std::optional<RateLimiter> limiter(std::in_place, 1, 1);
    ThreadGroup group("Users");
    group.post([&] {
      while (limiter->acquire() == WaitOutcome::ready) {
      }
    });
    event_aware_sleep(1ms);
    limiter.reset();
  });
  ASSERT_TRUE(of_limiter.failure);
  EXPECT_NE(of_limiter.failure->what.find("a tg::RateLimiter was destroyed while"), std::string::npos)
      << of_limiter.str();
}

TEST(SimulatedSync, unlocking_a_lock_that_is_not_locked_fails) {
  const sim::Report report = sim::explore({.schedules = 5}, [] {
    Mutex mutex;
    mutex.unlock();
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("tg::Mutex::unlock: it is not locked"), std::string::npos)
      << report.str();
}

// The waiters of a schedule are gone when the next one begins, even if it failed.
TEST(SimulatedSync, a_failed_schedule_leaves_no_waiters) {
  for (int i = 0; i < 3; ++i) {
    const sim::Report report = sim::explore({.schedules = 1}, [] {
      Latch latch(1);
      ThreadGroup group("Waiters");
      group.post([&] { static_cast<void>(latch.wait()); });
      event_aware_sleep(1ms);
      sim::fail("enough");
    });
    ASSERT_TRUE(report.failure);
    EXPECT_NE(report.failure->what.find("enough"), std::string::npos);
  }
}

}  // namespace
}  // namespace sync_test
}  // namespace tg
