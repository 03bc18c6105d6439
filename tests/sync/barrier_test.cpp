// SPDX-License-Identifier: Apache-2.0
// Repeated meetings, and how the waits end if a thread does not come.
#include <threadgroup/barrier.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <threadgroup/options.hpp>
#include <threadgroup/thread_group.hpp>

#include "sync/support.hpp"

namespace tg {
namespace barrier_test {
namespace {

using namespace std::chrono_literals;
using detail::ParkingQueue;
using sync_test::wait_for_waiters;

TEST(Barrier, no_thread_is_a_meeting_ahead) {
  constexpr int kThreads = 4;
  constexpr int kMeetings = 200;
  Barrier barrier(kThreads);
  std::atomic<int> arrivals{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int meeting = 1; meeting <= kMeetings; ++meeting) {
        ++arrivals;
        EXPECT_EQ(barrier.arrive_and_wait(), WaitOutcome::ready);
        EXPECT_GE(arrivals, kThreads * meeting);
        EXPECT_LT(arrivals, kThreads * (meeting + 1));
        EXPECT_EQ(barrier.arrive_and_wait(), WaitOutcome::ready);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Barrier, one_thread_meets_itself) {
  Barrier barrier(1);
  EXPECT_EQ(barrier.arrive_and_wait(), WaitOutcome::ready);
  EXPECT_EQ(barrier.arrive_and_wait(0s), WaitOutcome::ready);
}

TEST(Barrier, a_time_out_breaks_it_for_all) {
  Barrier barrier(3);
  std::thread other([&] { EXPECT_EQ(barrier.arrive_and_wait(), WaitOutcome::closed); });
  wait_for_waiters(&barrier, ParkingQueue::barrier, 1);
  EXPECT_EQ(barrier.arrive_and_wait(1ms), WaitOutcome::timed_out);
  other.join();
  EXPECT_TRUE(barrier.is_broken());
  EXPECT_EQ(barrier.arrive_and_wait(), WaitOutcome::closed);
}

TEST(Barrier, a_stop_breaks_it_for_all) {
  Barrier barrier(3);
  std::thread other([&] { EXPECT_EQ(barrier.arrive_and_wait(), WaitOutcome::closed); });
  ThreadGroup group("Workers");
  auto handle = group.add_task([&] { return barrier.arrive_and_wait(); });
  wait_for_waiters(&barrier, ParkingQueue::barrier, 2);
  group.set_event("enough");
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
  other.join();
}

TEST(Barrier, each_of_several_stopped_waiters_returns_event_set_or_closed) {
  Barrier barrier(4);
  ThreadGroup group("Workers");
  std::vector<TaskHandle<WaitOutcome>> handles;
  for (int i = 0; i < 3; ++i) handles.push_back(group.add_task([&] { return barrier.arrive_and_wait(); }));
  wait_for_waiters(&barrier, ParkingQueue::barrier, 3);
  group.set_event("enough");
  int stopped = 0;
  for (const auto& handle : handles) {
    const WaitOutcome outcome = handle.get();
    EXPECT_TRUE(outcome == WaitOutcome::event_set || outcome == WaitOutcome::closed);
    stopped += outcome == WaitOutcome::event_set ? 1 : 0;
  }
  EXPECT_GE(stopped, 1);
}

TEST(Barrier, a_caller_that_was_stopped_before_breaks_it) {
  Barrier barrier(2);
  std::thread other([&] { EXPECT_EQ(barrier.arrive_and_wait(), WaitOutcome::closed); });
  wait_for_waiters(&barrier, ParkingQueue::barrier, 1);
  ThreadGroup group("Workers");
  auto handle = group.add_task([&] {
    group.set_event("before");
    return barrier.arrive_and_wait();
  });
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
  other.join();
}

TEST(Barrier, wrong_numbers_of_threads_are_refused) {
  EXPECT_THROW(Barrier(0), std::invalid_argument);
  EXPECT_THROW(Barrier(-3), std::invalid_argument);
  EXPECT_THROW(Barrier(Barrier::max() + 1), std::invalid_argument);
}

}  // namespace
}  // namespace barrier_test
}  // namespace tg
