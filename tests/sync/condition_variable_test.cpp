// SPDX-License-Identifier: Apache-2.0
// The condition variable: any lock, stopping, notifications.
#include <threadgroup/condition_variable.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <threadgroup/clock.hpp>
#include <threadgroup/mutex.hpp>
#include <threadgroup/thread_group.hpp>

#include "sync/support.hpp"

namespace tg {
namespace condition_variable_test {
namespace {

using namespace std::chrono_literals;
using detail::ParkingQueue;
using sync_test::wait_for_waiters;

template <class M>
struct ConditionVariableWith : testing::Test {
  M mutex;
  ConditionVariable changed;
  int value = 0;  // guarded by the mutex

  void set(int to) {
    const std::scoped_lock lock(mutex);
    value = to;
  }
};
using Mutexes = testing::Types<Mutex, std::mutex, std::recursive_mutex>;
TYPED_TEST_SUITE(ConditionVariableWith, Mutexes);

TYPED_TEST(ConditionVariableWith, a_notification_wakes_a_waiter) {
  std::thread waiter([&] {
    std::unique_lock lock(this->mutex);
    EXPECT_EQ(this->changed.wait(lock, [&] { return this->value == 2; }), WaitOutcome::ready);
    EXPECT_TRUE(lock.owns_lock());
  });
  wait_for_waiters(&this->changed, ParkingQueue::condition, 1);
  this->set(1);
  this->changed.notify_one();
  this->set(2);
  this->changed.notify_one();
  waiter.join();
}

TYPED_TEST(ConditionVariableWith, a_wait_for_what_is_true_does_not_wait) {
  std::unique_lock lock(this->mutex);
  EXPECT_EQ(this->changed.wait(lock, [] { return true; }), WaitOutcome::ready);
  EXPECT_EQ(this->changed.wait(
                lock, [] { return true; }, -1s),
            WaitOutcome::ready);
}

TYPED_TEST(ConditionVariableWith, a_wait_times_out_with_the_lock_held) {
  std::unique_lock lock(this->mutex);
  const TimePoint begin = now();
  EXPECT_EQ(this->changed.wait(
                lock, [] { return false; }, 2ms),
            WaitOutcome::timed_out);
  EXPECT_GE(now() - begin, Duration(2ms));
  EXPECT_TRUE(lock.owns_lock());
  EXPECT_EQ(this->changed.wait(
                lock, [] { return false; }, 0s),
            WaitOutcome::timed_out);
}

TYPED_TEST(ConditionVariableWith, a_stop_ends_a_wait_with_the_lock_held) {
  ThreadGroup group("Waiters");
  auto handle = group.add_task([&] {
    std::unique_lock lock(this->mutex);
    const WaitOutcome outcome = this->changed.wait(lock, [] { return false; });
    return lock.owns_lock() ? outcome : WaitOutcome::closed;
  });
  wait_for_waiters(&this->changed, ParkingQueue::condition, 1);
  group.set_event("enough");
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
}

TYPED_TEST(ConditionVariableWith, what_is_true_counts_also_for_a_stopped_caller) {
  ThreadGroup group("Waiters");
  auto outcomes = group.add_task([&] {
    group.set_event("before");
    std::unique_lock lock(this->mutex);
    const WaitOutcome of_true = this->changed.wait(lock, [] { return true; });
    const WaitOutcome of_false = this->changed.wait(lock, [] { return false; });
    return std::pair(of_true, of_false);
  });
  EXPECT_EQ(outcomes.get(), std::pair(WaitOutcome::ready, WaitOutcome::event_set));
}

TYPED_TEST(ConditionVariableWith, notify_all_wakes_all) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      std::unique_lock lock(this->mutex);
      EXPECT_EQ(this->changed.wait(lock, [&] { return this->value == 1; }), WaitOutcome::ready);
    });
  }
  wait_for_waiters(&this->changed, ParkingQueue::condition, 4);
  this->set(1);
  this->changed.notify_all();
  for (std::thread& thread : threads) thread.join();
}

TEST(ConditionVariable, each_notification_of_one_wakes_another_waiter) {
  Mutex mutex;
  ConditionVariable changed;
  int tokens = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      std::unique_lock lock(mutex);
      EXPECT_EQ(changed.wait(lock, [&] { return tokens > 0; }), WaitOutcome::ready);
      --tokens;
    });
  }
  wait_for_waiters(&changed, ParkingQueue::condition, 4);
  for (int i = 0; i < 4; ++i) {
    const std::scoped_lock lock(mutex);
    ++tokens;
    changed.notify_one();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(tokens, 0);
}

TEST(ConditionVariable, a_mutex_is_a_lock_as_it_is) {
  Mutex mutex;
  ConditionVariable changed;
  mutex.lock();
  EXPECT_EQ(changed.wait(
                mutex, [] { return false; }, 1ms),
            WaitOutcome::timed_out);
  EXPECT_FALSE(mutex.try_lock());
  mutex.unlock();
}

TEST(ConditionVariable, what_the_predicate_throws_comes_with_the_lock_held) {
  Mutex mutex;
  ConditionVariable changed;
  std::thread notifier;
  std::unique_lock lock(mutex);
  int calls = 0;
  notifier = std::thread([&] {
    wait_for_waiters(&changed, ParkingQueue::condition, 1);
    changed.notify_all();
  });
  EXPECT_THROW(static_cast<void>(changed.wait(lock,
                                              [&]() -> bool {
                                                if (calls++ == 0) return false;
                                                throw std::runtime_error("no");
                                              })),
               std::runtime_error);
  EXPECT_TRUE(lock.owns_lock());
  notifier.join();
}

TEST(ConditionVariable, a_lock_that_cannot_be_released_leaves_no_waiter) {
  struct Stubborn {
    void lock() {}
    void unlock() { throw std::runtime_error("no"); }
  } lock;
  ConditionVariable changed;
  EXPECT_THROW(static_cast<void>(changed.wait(lock, [] { return false; })), std::runtime_error);
  wait_for_waiters(&changed, ParkingQueue::condition, 0);
  changed.notify_all();
}

TEST(ConditionVariable, a_waiter_that_cannot_take_its_lock_again_passes_the_notification_on) {
  struct Failing {
    bool is_broken = false;
    void lock() {
      if (is_broken) throw std::runtime_error("no");
    }
    void unlock() { is_broken = true; }
  };
  ConditionVariable changed;
  std::atomic<bool> set{false};
  std::thread first([&] {
    Failing lock;
    EXPECT_THROW(static_cast<void>(changed.wait(lock, [] { return false; })), std::runtime_error);
  });
  wait_for_waiters(&changed, ParkingQueue::condition, 1);
  std::thread second([&] {
    Mutex mutex;
    std::unique_lock lock(mutex);
    EXPECT_EQ(changed.wait(
                  lock, [&] { return set.load(); }, 10s),
              WaitOutcome::ready);
    EXPECT_TRUE(set.load());
  });
  wait_for_waiters(&changed, ParkingQueue::condition, 2);
  set = true;
  const TimePoint begin = now();
  changed.notify_one();  // the first waiter gets it
  first.join();
  second.join();
  EXPECT_LT(now() - begin, Duration(10s));
}

}  // namespace
}  // namespace condition_variable_test
}  // namespace tg
