// SPDX-License-Identifier: Apache-2.0
// Mistakes that other queues made: tasks lost, run too late, or told apart wrongly.
#include <atomic>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "runtime/faults.hpp"
#include "runtime/threads.hpp"
#include "support/eventually.hpp"
#include "support/thread_cache.hpp"
#include "support/throwing.hpp"

namespace queue_test {
namespace {

using namespace std::chrono_literals;
using tg::TaskHandle;
using tg::TaskStatus;
using tg::ThreadGroup;

TEST(Queue, task_added_while_the_last_worker_leaves_is_run) {
  for (const std::size_t bound : {1u, 2u, 8u}) {
    ThreadGroup group("leaving", {.max_concurrent_threads = bound});
    std::atomic<int> ran{0};
    constexpr int kRounds = 3000;
    for (int i = 0; i < kRounds; ++i) {
      // The handle is done a moment before its worker looks for the next task: this add meets it there.
      const auto handle = group.add_task([&ran] { ++ran; });
      ASSERT_EQ(handle.wait(30s), tg::WaitOutcome::ready) << "lost with bound " << bound << " in round " << i;
    }
    EXPECT_TRUE(group.join());
    EXPECT_EQ(ran.load(), kRounds);
  }
}

TEST(Queue, one_exception_does_not_take_the_tasks_behind_it_along) {
  ThreadGroup group("failing", {.max_concurrent_threads = 1});
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    group.post([i, &ran] {
      ++ran;
      if (i % 3 == 0) throw std::runtime_error("task " + std::to_string(i));
      if (i % 3 == 1) throw i;  // not derived from std::exception
    });
  }
  const auto result = group.wait_idle();
  EXPECT_TRUE(result);
  EXPECT_EQ(ran.load(), 100);
  EXPECT_EQ(result.failures.size(), 67u);
  EXPECT_EQ(group.statistics().succeeded, 33u);
  EXPECT_EQ(group.statistics().failed, 67u);
}

TEST(Queue, exception_of_a_destructor_does_not_take_the_tasks_behind_it_along) {
  ThreadGroup group("destructors", {.max_concurrent_threads = 1});
  std::atomic<int> ran{0};
  for (int i = 0; i < 10; ++i) {
    group.post([bomb = tg::test::ThrowsWhenDestroyed(), &ran] { ++ran; });
    group.post([&ran] { ++ran; });
  }
  EXPECT_EQ(group.wait_idle().failures.size(), 10u);
  EXPECT_EQ(ran.load(), 20);
}

// A wake-up that is saved because another one is on its way must not be saved permanently: here no task
// continues before all are there, so the last one would wait forever (or until a time-out).
TEST(Queue, every_place_is_filled_while_tasks_wait_for_each_other) {
  constexpr int kBound = 16;
  ThreadGroup group("rendezvous", {.max_concurrent_threads = kBound});
  for (int round = 0; round < 300; ++round) {
    std::latch all(kBound);
    for (int i = 0; i < kBound; ++i) group.post([&all] { all.arrive_and_wait(); });
    ASSERT_TRUE(group.join(60s)) << "round " << round << ": a queued task was not given its free slot";
  }
}

TEST(Queue, places_are_filled_when_one_task_adds_all_the_others) {
  constexpr int kBound = 8;
  ThreadGroup group("from within", {.max_concurrent_threads = kBound});
  for (int round = 0; round < 300; ++round) {
    std::latch all(kBound);
    group.post([&] {
      for (int i = 1; i < kBound; ++i) group.post([&all] { all.arrive_and_wait(); });
      all.arrive_and_wait();
    });
    ASSERT_TRUE(group.join(60s)) << round;
  }
}

// The setter first wakes all waiters and only then skips what is queued. A worker that is woken in between
// must not start the next task. The stop callback holds the setter in just that gap.
TEST(Queue, worker_freed_by_the_event_does_not_start_the_next_task) {
  std::latch running(1);
  ThreadGroup group("gap", {.max_concurrent_threads = 1});
  std::atomic<bool> ran{false};
  group.post([&running] {
    running.count_down();
    EXPECT_FALSE(tg::thread_utils::event_aware_sleep(600s));
  });
  const auto next = group.add_task([&ran] { ran = true; });
  const std::stop_token token = group.get_stop_token();
  bool ended_in_time = false;
  const std::stop_callback in_the_gap(token,
                                      [&] { ended_in_time = next.wait(60s) == tg::WaitOutcome::ready; });
  running.wait();
  group.set_event("stop");
  EXPECT_TRUE(ended_in_time);
  EXPECT_FALSE(ran.load());
  EXPECT_EQ(next.status(), TaskStatus::skipped);
}

// A thief had moved a worker's tasks to the shared queue; the worker left, came back, and its next task went
// ahead of them.
TEST(Order, of_one_adder_is_kept_when_its_worker_leaves_and_comes_back) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  std::latch lender_began(1), added(1), first_began(1), all_began(2);
  std::mutex mutex;
  std::string order;
  const auto note = [&](char what) {
    const std::lock_guard lock(mutex);
    order += what;
  };
  TaskHandle<void> adder, first;
  group.post([&] {
    lender_began.count_down();
    added.wait();
    static_cast<void>(adder.wait(50ms));  // lends its slot to a thief, and wants it back
    first_began.wait();
    static_cast<void>(first.wait());  // lends it again, and the adder's thread comes back for it
  });
  lender_began.wait();
  adder = group.add_task([&] {
    first = group.add_task([&] {
      first_began.count_down();
      all_began.wait();
    });
    group.post([&] {
      group.post([&] {
        note('c');
        all_began.count_down();
      });
    });
    group.post([&] {
      note('b');
      all_began.count_down();
    });
    first_began.wait();
    // So that the lender waits for its slot; without it, the test is only easier.
    tg::test::leave_time(150ms);
  });
  added.count_down();
  static_cast<void>(group.join(60s));  // without a limit, this thread would run some of the tasks
  EXPECT_EQ(order, "bc");
}

class ThreadsFail : public tg::test::NoIdleThreads {};

// The task that could not be added was queued for a moment, and a join may have seen it.
TEST_F(ThreadsFail, join_that_saw_a_task_which_could_not_be_added_returns) {
  ThreadGroup group("no threads");
  std::atomic<bool> stop{false};
  std::atomic<int> joins{0};
  std::thread joiner([&] {
    while (!stop) {
      EXPECT_TRUE(group.join(60s)) << "the join waits for a task that never was";
      ++joins;
    }
  });
  for (int i = 0; i < 20000; ++i) {
    tg::runtime::faults::refuse_threads(1);
    EXPECT_THROW(group.post([] {}), std::system_error);
  }
  stop = true;
  joiner.join();
  EXPECT_EQ(group.statistics().total(), 0u);
  EXPECT_GT(joins.load(), 0);
}

TEST_F(ThreadsFail, task_waits_for_a_worker_that_exists) {
  ThreadGroup group("one thread", {.max_concurrent_threads = 4});
  std::latch started(1), go(1);
  group.post([&] {
    started.count_down();
    go.wait();
  });
  started.wait();
  tg::runtime::faults::refuse_threads(100);
  const auto second = group.add_task([] { return 2; });
  go.count_down();
  EXPECT_EQ(second.get(), 2);
  EXPECT_TRUE(group.join());
}

TEST_F(ThreadsFail, waiting_for_a_task_that_no_thread_can_run_runs_it) {
  ThreadGroup group("one thread", {.max_concurrent_threads = 4});
  const auto outer = group.add_task([&] {
    tg::runtime::faults::refuse_threads(1000000);
    const auto ahead = group.add_task([] { return 1; });  // so that the awaited one is not the next in line
    const auto inner = group.add_task([] { return 2; });
    return inner.get();
  });
  EXPECT_EQ(outer.get(), 2);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, 3u);
}

TEST_F(ThreadsFail, a_task_that_waits_for_the_next_in_line_needs_no_second_thread) {
  ThreadGroup group("one thread", {.max_concurrent_threads = 4});
  const auto outer = group.add_task([&] {
    tg::runtime::faults::refuse_threads(1000000);
    return group.add_task([] { return 2; }).get();
  });
  EXPECT_EQ(outer.get(), 2);
}

}  // namespace
}  // namespace queue_test
