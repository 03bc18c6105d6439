// SPDX-License-Identifier: Apache-2.0
// The lock: exclusion, hand-over to a sleeper, and the scope with a gap.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include <threadgroup/detail/mutex.hpp>

#include "support/eventually.hpp"

namespace tg::inline v0::detail {
namespace mutex_test {
namespace {

struct Counter {
  Mutex mutex;
  long value TG_GUARDED_BY(mutex) = 0;
};

// Another thread's try: the analysis, and the lock, are not made for trying twice on one.
bool free_for_others(Mutex& mutex) {
  bool got = false;
  std::thread([&] {
    if (mutex.try_lock()) {
      got = true;
      mutex.unlock();
    }
  }).join();
  return got;
}

TEST(Mutex, takes_four_bytes) { EXPECT_EQ(sizeof(Mutex), 4u); }

TEST(Mutex, try_lock_fails_while_another_thread_holds_it) {
  Mutex mutex;
  mutex.lock();
  EXPECT_FALSE(free_for_others(mutex));
  mutex.unlock();
  EXPECT_TRUE(free_for_others(mutex));
}

TEST(Mutex, lets_one_thread_in_at_a_time) {
  Counter counter;
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      for (int round = 0; round < kRounds; ++round) {
        MutexLock lock(counter.mutex);
        ++counter.value;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  MutexLock lock(counter.mutex);
  EXPECT_EQ(counter.value, long{kThreads} * kRounds);
}

TEST(Mutex, wakes_every_sleeper_in_turn) {
  Counter counter;
  std::atomic<int> on_their_way{0};
  std::vector<std::thread> threads;
  {
    MutexLock lock(counter.mutex);
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        ++on_their_way;
        MutexLock mine(counter.mutex);
        ++counter.value;
      });
    }
    test::eventually([&] { return on_their_way == 8; });
    // Long enough in turns of the scheduler for some of them to have given up spinning; right either way.
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    EXPECT_EQ(counter.value, 0);
  }
  for (auto& thread : threads) thread.join();
  MutexLock lock(counter.mutex);
  EXPECT_EQ(counter.value, 8);
}

TEST(Mutex, may_be_destroyed_by_the_next_holder) {
  for (int round = 0; round < 500; ++round) {
    auto counter = std::make_unique<Counter>();
    std::latch start(2);
    std::thread other([&] {
      start.arrive_and_wait();
      MutexLock lock(counter->mutex);
      ++counter->value;
    });
    start.arrive_and_wait();
    test::eventually([&] {
      MutexLock lock(counter->mutex);
      return counter->value == 1;
    });
    counter.reset();  // the other thread may still be on its way out of `unlock`
    other.join();
  }
}

TEST(MutexLock, holds_for_its_scope) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    EXPECT_FALSE(free_for_others(mutex));
  }
  EXPECT_TRUE(free_for_others(mutex));
}

TEST(MutexLock, can_open_a_gap) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    lock.unlock();
    EXPECT_TRUE(free_for_others(mutex));
    lock.lock();
    EXPECT_FALSE(free_for_others(mutex));
    lock.unlock();
  }  // ends with the gap open: nothing is unlocked twice
  EXPECT_TRUE(free_for_others(mutex));
}

}  // namespace
}  // namespace mutex_test
}  // namespace tg::inline v0::detail
