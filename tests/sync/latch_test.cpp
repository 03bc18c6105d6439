// SPDX-License-Identifier: Apache-2.0
// Counting down to zero.
#include <threadgroup/latch.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/thread_group.hpp>

#include "sync/support.hpp"

namespace tg {
namespace latch_test {
namespace {

using namespace std::chrono_literals;
using detail::ParkingQueue;
using sync_test::wait_for_waiters;

TEST(Latch, lets_all_through_at_zero) {
  Latch latch(2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { EXPECT_EQ(latch.wait(), WaitOutcome::ready); });
  wait_for_waiters(&latch, ParkingQueue::latch, 3);
  latch.count_down();
  EXPECT_FALSE(latch.is_ready());
  wait_for_waiters(&latch, ParkingQueue::latch, 3);
  latch.count_down();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(latch.is_ready());
  EXPECT_EQ(latch.wait(), WaitOutcome::ready);
}

TEST(Latch, arrive_and_wait_meets_the_others) {
  Latch latch(3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] { EXPECT_EQ(latch.arrive_and_wait(), WaitOutcome::ready); });
  for (std::thread& thread : threads) thread.join();
}

TEST(Latch, a_latch_of_zero_is_ready) {
  const Latch latch(0);
  EXPECT_EQ(latch.wait(0s), WaitOutcome::ready);
}

TEST(Latch, a_wait_times_out) {
  const Latch latch(1);
  EXPECT_EQ(latch.wait(0s), WaitOutcome::timed_out);
  EXPECT_EQ(latch.wait(1ms), WaitOutcome::timed_out);
}

TEST(Latch, a_stop_ends_a_wait) {
  const Latch latch(1);
  ThreadGroup group("Waiters");
  auto handle = group.add_task([&] { return latch.wait(); });
  wait_for_waiters(&latch, ParkingQueue::latch, 1);
  group.set_event("enough");
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
}

TEST(Latch, what_is_ready_counts_also_for_a_stopped_caller) {
  const Latch open(0);
  const Latch shut(1);
  ThreadGroup group("Waiters");
  auto handle = group.add_task([&] {
    group.set_event("before");
    const WaitOutcome of_open = open.wait();
    return std::pair(of_open, shut.wait());
  });
  EXPECT_EQ(handle.get(), std::pair(WaitOutcome::ready, WaitOutcome::event_set));
}

TEST(Latch, a_waiter_may_destroy_it) {
  for (int i = 0; i < 1'000; ++i) {
    auto* const latch = new Latch(1);
    std::thread waiter([latch] {
      EXPECT_EQ(latch->wait(), WaitOutcome::ready);
      delete latch;
    });
    latch->count_down();
    waiter.join();
  }
}

TEST(Latch, wrong_counts_are_refused) {
  EXPECT_THROW(Latch(-1), std::invalid_argument);
  Latch latch(1);
  EXPECT_THROW(latch.count_down(2), std::invalid_argument);
  EXPECT_THROW(latch.count_down(-1), std::invalid_argument);
  latch.count_down(0);
  EXPECT_FALSE(latch.is_ready());
  latch.count_down();
  EXPECT_THROW(latch.count_down(), std::invalid_argument);
}

}  // namespace
}  // namespace latch_test
}  // namespace tg
