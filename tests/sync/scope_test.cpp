// SPDX-License-Identifier: Apache-2.0
// Primitives in scopes and shields.
#include <threadgroup/scope.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <utility>

#include <threadgroup/sync.hpp>
#include <threadgroup/thread_group.hpp>

namespace tg {
namespace scope_test {
namespace {

using namespace std::chrono_literals;

// On the main thread, which is in no task: the deadline of a scope ends each wait.
TEST(SyncInScope, the_deadline_of_a_scope_ends_each_wait) {
  Mutex mutex;
  const std::scoped_lock held(mutex);
  Mutex other;
  ConditionVariable changed;
  Semaphore semaphore(0);
  Latch latch(1);
  Barrier barrier(2);
  for (int which = 0; which < 5; ++which) {
    const StopScope scope(1ms);
    std::unique_lock lock(other);
    const WaitOutcome outcome = which == 0   ? mutex.event_aware_lock()
                                : which == 1 ? changed.wait(lock, [] { return false; })
                                : which == 2 ? semaphore.acquire()
                                : which == 3 ? latch.wait()
                                             : barrier.arrive_and_wait();
    EXPECT_EQ(outcome, WaitOutcome::event_set) << which;
    EXPECT_TRUE(scope.timed_out());
  }
}

TEST(SyncInScope, a_shield_lets_a_stopped_task_wait) {
  Semaphore semaphore(1);
  ThreadGroup group("Cleaners");
  auto outcomes = group.add_task([&] {
    group.set_event("enough");
    const WaitOutcome outside = semaphore.acquire();
    const Shield shield(60s);
    return std::pair(outside, semaphore.acquire());
  });
  EXPECT_EQ(outcomes.get(), std::pair(WaitOutcome::event_set, WaitOutcome::ready));
}

TEST(SyncInScope, a_wait_in_a_shield_ends_with_its_grace) {
  Latch latch(1);
  ThreadGroup group("Cleaners");
  auto outcome = group.add_task([&] {
    group.set_event("enough");
    const Shield shield(1ms);
    return latch.wait();
  });
  EXPECT_EQ(outcome.get(), WaitOutcome::event_set);
}

}  // namespace
}  // namespace scope_test
}  // namespace tg
