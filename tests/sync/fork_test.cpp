// SPDX-License-Identifier: Apache-2.0
// Primitives in a forked child: new ones, and those for which threads of the parent wait.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <thread>

#include <threadgroup/sync.hpp>
#include <threadgroup/thread_group.hpp>

#include "support/in_child.hpp"
#include "sync/support.hpp"

namespace tg {
namespace {

using namespace std::chrono_literals;
using detail::ParkingQueue;
using sync_test::wait_for_waiters;

void use_all_in_the_child() {
  Mutex mutex;
  ConditionVariable changed;
  Semaphore semaphore(0);
  Latch latch(2);
  Barrier barrier(2);
  bool set = false;
  ThreadGroup group("child");
  group.post([&] {
    static_cast<void>(latch.arrive_and_wait());
    {
      const std::scoped_lock lock(mutex);
      set = true;
    }
    changed.notify_all();
    semaphore.release();
    static_cast<void>(barrier.arrive_and_wait());
  });
  REQUIRE_IN_CHILD(latch.arrive_and_wait() == WaitOutcome::ready);
  {
    std::unique_lock lock(mutex);
    REQUIRE_IN_CHILD(changed.wait(lock, [&] { return set; }) == WaitOutcome::ready);
  }
  REQUIRE_IN_CHILD(semaphore.acquire() == WaitOutcome::ready);
  REQUIRE_IN_CHILD(barrier.arrive_and_wait() == WaitOutcome::ready);
  REQUIRE_IN_CHILD(group.join());
}

TEST(ForkedSync, a_child_uses_primitives_of_its_own) {
  EXPECT_EQ(test::status_of(test::start_child(use_all_in_the_child)), 0);
}

TEST(ForkedSync, a_child_does_not_serve_the_waiters_of_its_parent) {
  Mutex mutex;
  Semaphore semaphore(1);
  ConditionVariable changed;
  mutex.lock();
  std::thread locks([&] { const std::scoped_lock lock(mutex); });
  std::thread acquires([&] { EXPECT_EQ(semaphore.acquire(2), WaitOutcome::ready); });
  std::thread waits([&] {
    Mutex other;
    std::unique_lock lock(other);
    static_cast<void>(changed.wait(lock, [&] { return semaphore.available() == 3; }));
  });
  wait_for_waiters(&mutex, ParkingQueue::mutex, 1);
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 1);
  wait_for_waiters(&changed, ParkingQueue::condition, 1);
  const pid_t child = test::start_child([&] {
    mutex.unlock();
    REQUIRE_IN_CHILD(mutex.try_lock());
    mutex.unlock();
    changed.notify_all();
    REQUIRE_IN_CHILD(semaphore.acquire() == WaitOutcome::ready);
    semaphore.release();
    REQUIRE_IN_CHILD(semaphore.available() == 1);
    REQUIRE_IN_CHILD(semaphore.acquire(2, 1ms) == WaitOutcome::timed_out);
    REQUIRE_IN_CHILD(semaphore.try_acquire());
  });
  EXPECT_EQ(test::status_of(child), 0);
  mutex.unlock();
  semaphore.release(4);
  locks.join();
  acquires.join();
  changed.notify_all();
  waits.join();
}

}  // namespace
}  // namespace tg
