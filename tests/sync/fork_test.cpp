// SPDX-License-Identifier: Apache-2.0
// Primitives in a forked child: new ones, and those for which threads of the parent wait.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>

#include <threadgroup/core.hpp>

#include "base/sanitizers.hpp"
#include "runtime/flow.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "sync/support.hpp"

namespace tg {
namespace fork_test {
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

// The parent unlocks, and forks before the waiter that it has woken tries again.
TEST(ForkedSync, a_lock_serves_the_childs_waiters_though_the_parent_was_about_to_take_it) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << test::kNoThreadsInChild;
  Mutex mutex;
  for (int round = 0; round < 20; ++round) {
    mutex.lock();
    std::thread locks([&] { const std::scoped_lock lock(mutex); });
    wait_for_waiters(&mutex, ParkingQueue::mutex, 1);
    mutex.unlock();
    const pid_t child = test::start_child([&] {
      if (!mutex.try_lock()) return;  // the waiter was faster
      ThreadGroup group("child");
      const auto waits = group.add_task([&] { return mutex.event_aware_lock(10s); });
      wait_for_waiters(&mutex, ParkingQueue::mutex, 1);
      mutex.unlock();
      REQUIRE_IN_CHILD(waits.get() == WaitOutcome::ready);
      mutex.unlock();
    });
    locks.join();
    EXPECT_EQ(test::status_of(child), 0);
  }
}

TEST(ForkedSync, permits_that_a_thread_of_the_parent_wants_are_free_in_the_child) {
  Semaphore semaphore(3);
  std::thread wants_five([&] { EXPECT_EQ(semaphore.acquire(5), WaitOutcome::ready); });
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 1);
  EXPECT_EQ(test::in_child([&] {
              REQUIRE_IN_CHILD(semaphore.try_acquire());
              REQUIRE_IN_CHILD(semaphore.available() == 2);
            }),
            0);
  EXPECT_EQ(test::in_child([&] { REQUIRE_IN_CHILD(semaphore.acquire(1, Duration()) == WaitOutcome::ready); }),
            0);
  semaphore.release(2);
  wants_five.join();
}

TEST(ForkedSync, a_channel_that_is_destroyed_in_the_child_leaves_the_parents_waiters_alone) {
  auto full = std::make_unique<Channel<int>>(1);
  EXPECT_TRUE(full->try_send(1));
  std::atomic<runtime::Flow*> waiting{nullptr};
  std::thread sends([&] {
    waiting = &runtime::Flow::current();
    EXPECT_EQ(full->send(2), WaitOutcome::ready);
  });
  test::eventually([&] { return waiting.load() != nullptr; });
  test::leave_time(20ms);  // it need not wait yet: the test is then weaker
  EXPECT_EQ(test::in_child([&] {
              full.reset();
              REQUIRE_IN_CHILD(!waiting.load()->has_permit());
            }),
            0);
  EXPECT_EQ(full->receive(), 1);
  sends.join();
}

TEST(ForkedSync, a_select_refuses_a_task_of_the_parent_that_has_not_ended) {
  std::latch go(1);
  ThreadGroup group("parent");
  const auto ended = group.add_task([] {});
  static_cast<void>(ended.wait());
  const auto runs = group.add_task([&] { go.wait(); });
  EXPECT_EQ(test::in_child([&] {
              REQUIRE_IN_CHILD(select(handle_done(ended, [] {})));
              REQUIRE_IN_CHILD(test::throws_forked([&] { select(handle_done(runs, [] {}), after(1ms)); }));
            }),
            0);
  go.count_down();
}

}  // namespace
}  // namespace fork_test
}  // namespace tg
