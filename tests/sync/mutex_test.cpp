// SPDX-License-Identifier: Apache-2.0
// The lock: waiting, stopping, fairness, misuse.
#include <threadgroup/mutex.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <threadgroup/clock.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "sync/support.hpp"

namespace tg {
namespace mutex_test {
namespace {

using namespace std::chrono_literals;
using detail::ParkingQueue;
using sync_test::wait_for_waiters;

static_assert(sizeof(Mutex) <= 8);
constinit Mutex global_mutex;

TEST(Mutex, excludes_other_threads) {
  Mutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 20'000; ++k) {
        const std::scoped_lock lock(mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 80'000);
}

TEST(Mutex, try_lock_takes_a_free_lock_only) {
  EXPECT_TRUE(global_mutex.try_lock());
  EXPECT_FALSE(global_mutex.try_lock());
  global_mutex.unlock();
  const std::unique_lock lock(global_mutex, std::try_to_lock);
  EXPECT_TRUE(lock.owns_lock());
}

TEST(Mutex, event_aware_lock_takes_a_free_lock) {
  Mutex mutex;
  EXPECT_EQ(mutex.event_aware_lock(), WaitOutcome::ready);
  EXPECT_FALSE(mutex.try_lock());
  mutex.unlock();
}

TEST(Mutex, event_aware_lock_times_out) {
  Mutex mutex;
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(mutex.event_aware_lock(0s), WaitOutcome::timed_out);
  EXPECT_EQ(mutex.event_aware_lock(-1s), WaitOutcome::timed_out);
  const TimePoint begin = now();
  EXPECT_EQ(mutex.event_aware_lock(2ms), WaitOutcome::timed_out);
  EXPECT_GE(now() - begin, Duration(2ms));
}

TEST(Mutex, a_stop_ends_event_aware_lock) {
  Mutex mutex;
  mutex.lock();
  ThreadGroup group("Lockers");
  auto handle = group.add_task([&] { return mutex.event_aware_lock(); });
  wait_for_waiters(&mutex, ParkingQueue::mutex, 1);
  group.set_event("enough");
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
  mutex.unlock();
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(Mutex, a_stopped_caller_does_not_take_a_free_lock) {
  Mutex mutex;
  ThreadGroup group("Lockers");
  auto handle = group.add_task([&] {
    group.set_event("before");
    return mutex.event_aware_lock();
  });
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(Mutex, a_stop_does_not_end_lock) {
  Mutex mutex;
  mutex.lock();
  ThreadGroup group("Lockers");
  auto handle = group.add_task([&] {
    mutex.lock();
    mutex.unlock();
    return thread_utils::event_is_set();
  });
  wait_for_waiters(&mutex, ParkingQueue::mutex, 1);
  group.set_event("enough");
  mutex.unlock();
  EXPECT_TRUE(handle.get());
}

TEST(Mutex, a_waiter_of_a_millisecond_gets_the_lock_in_the_end) {
  Mutex mutex;
  std::atomic<bool> done{false};
  std::latch held(1);
  // Locks again at once, so that a waiter which must come at the right moment would come too late.
  std::thread greedy([&] {
    mutex.lock();
    held.count_down();
    while (!done.load()) {
      const TimePoint until = now() + Duration(100us);
      while (now() < until) {
      }
      mutex.unlock();
      mutex.lock();
    }
    mutex.unlock();
  });
  held.wait();
  for (int i = 0; i < 20; ++i) {
    mutex.lock();
    mutex.unlock();
  }
  done = true;
  greedy.join();
}

TEST(Mutex, waiters_are_handed_the_lock_in_order) {
  Mutex mutex;
  mutex.lock();
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      mutex.lock();
      order.push_back(i);
      mutex.unlock();
    });
    wait_for_waiters(&mutex, ParkingQueue::mutex, i + 1);
  }
  const TimePoint begin = now();
  while (now() - begin < Duration(2ms)) {
  }
  mutex.unlock();  // all of them have waited for more than a millisecond
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
}

TEST(Mutex, the_last_holder_may_destroy_it) {
  for (int i = 0; i < 2'000; ++i) {
    struct Shared {
      Mutex mutex;
      int owners = 2;
    };
    auto* const shared = new Shared;
    const auto leave = [shared] {
      shared->mutex.lock();
      const bool last = --shared->owners == 0;
      shared->mutex.unlock();
      if (last) delete shared;
    };
    std::thread other(leave);
    leave();
    other.join();
  }
}

TEST(Mutex, unlocking_a_lock_that_is_not_locked_is_an_error) {
  Mutex mutex;
  try {
    mutex.unlock();
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::operation_not_permitted);
    EXPECT_NE(std::string(error.what()).find("tg::Mutex::unlock: it is not locked"), std::string::npos);
  }
}

TEST(Mutex, destroying_a_locked_one_is_reported) {
  auto mutex = std::make_unique<Mutex>();
  mutex->lock();
  testing::internal::CaptureStderr();
  mutex.reset();
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "threadgroup: a tg::Mutex was destroyed while it was in use: keep it until all tasks that use it "
            "end\n");
}

}  // namespace
}  // namespace mutex_test
}  // namespace tg
