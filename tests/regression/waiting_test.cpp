// SPDX-License-Identifier: Apache-2.0
// Mistakes that other waits made: spinning, hanging, or more tasks at work than the bound allows.
#include <algorithm>
#include <atomic>
#include <ctime>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "runtime/steady_clock.hpp"

namespace waiting_test {
namespace {

using namespace std::chrono_literals;
using tg::ThreadGroup;
using tg::WaitStatus;
using tg::runtime::now;

double cpu_seconds_of_process() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

TEST(Waiting, sleep_on_the_main_thread_is_a_plain_sleep) {
  const tg::TimePoint start = now();
  EXPECT_TRUE(tg::thread_utils::event_aware_sleep(20ms));
  EXPECT_GE(now() - start, tg::Duration(20ms));
  EXPECT_TRUE(tg::thread_utils::event_aware_sleep(0s));
  EXPECT_TRUE(tg::thread_utils::event_aware_sleep(-1h));
}

TEST(Waiting, sleep_on_an_unknown_thread_is_a_plain_sleep) {
  std::thread([] {
    const tg::TimePoint start = now();
    EXPECT_TRUE(tg::thread_utils::event_aware_sleep(20ms));
    EXPECT_GE(now() - start, tg::Duration(20ms));
  }).join();
}

// Once the event is set, each wait must return or park. A wait that looks again and again would burn the CPU
// for as long as the slow task runs.
TEST(Waiting, join_does_not_spin_while_a_task_outlives_the_event) {
  ThreadGroup group("slow to stop");
  std::latch running(1);
  std::binary_semaphore let_go(0);
  group.post([&] {
    running.count_down();
    let_go.acquire();
  });
  running.wait();
  group.set_event("stop");
  const double before = cpu_seconds_of_process();
  EXPECT_FALSE(group.join(400ms));
  EXPECT_FALSE(group.wait_idle(100ms));
  EXPECT_LT(cpu_seconds_of_process() - before, 0.1);
  let_go.release();
  EXPECT_TRUE(group.join());
}

TEST(Waiting, condition_is_looked_at_once_when_the_event_is_set) {
  std::latch running(1);
  std::binary_semaphore let_go(0);
  ThreadGroup group("set");
  group.post([&] {
    running.count_down();
    let_go.acquire();
  });
  running.wait();
  group.set_event("stop");
  int looks = 0;
  EXPECT_EQ(group.wait_for_condition([&] { return ++looks < 0; }, 600s), WaitStatus::event_set);
  EXPECT_EQ(looks, 1);
  let_go.release();
}

TEST(Waiting, condition_is_looked_at_no_more_often_than_the_interval_asks) {
  std::binary_semaphore let_go(0);
  ThreadGroup group("interval");
  group.post([&] { let_go.acquire(); });
  int looks = 0;
  EXPECT_EQ(group.wait_for_condition([&] { return ++looks < 0; }, 200ms, {.interval = 50ms}),
            WaitStatus::timed_out);
  EXPECT_GE(looks, 2);  // at the start and at the deadline
  EXPECT_LE(looks, 6);  // and every 50 ms in between
  let_go.release();
}

// The siblings of the waiting task are woken as well, and each of them once.
TEST(Waiting, sleeps_in_a_loop_end_when_the_task_looks_at_the_answer) {
  ThreadGroup group("loops", {.max_concurrent_threads = 8});
  std::atomic<int> sleeps{0};
  std::latch running(8);
  for (int i = 0; i < 8; ++i) {
    group.post([&] {
      running.count_down();
      do ++sleeps;
      while (tg::thread_utils::event_aware_sleep(600s));
    });
  }
  running.wait();
  group.set_event();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(sleeps.load(), 8);
}

TEST(Waiting, predicate_may_join_another_group) {
  std::binary_semaphore let_go(0);
  ThreadGroup outer("outer");
  ThreadGroup other("other");
  outer.post([&] { let_go.acquire(); });
  EXPECT_EQ(outer.wait_for_condition(
                [&] {
                  other.post([] {});
                  other.notify();
                  outer.notify();
                  return static_cast<bool>(other.join());
                },
                60s),
            WaitStatus::condition_met);
  let_go.release();
}

TEST(Waiting, predicate_may_wait_for_a_condition_of_the_same_group) {
  std::binary_semaphore let_go(0);
  ThreadGroup group("same");
  group.post([&] { let_go.acquire(); });
  WaitStatus inner = WaitStatus::timed_out;
  EXPECT_EQ(group.wait_for_condition(
                [&] {
                  inner = group.wait_for_condition([] { return true; }, 60s);
                  return true;
                },
                60s),
            WaitStatus::condition_met);
  EXPECT_EQ(inner, WaitStatus::condition_met);
  let_go.release();
}

// The task has already lent its slot for the outer wait; lending it again would count one worker too few, and
// then no task would ever get a slot.
TEST(Waiting, predicate_in_a_task_may_wait_for_a_task_of_the_same_group) {
  for (int round = 0; round < 200; ++round) {
    ThreadGroup group("nested waits", {.max_concurrent_threads = 1});
    const auto outer = group.add_task([&] {
      return tg::thread_utils::wait_for_condition(
          [&] { return group.add_task([] { return 17; }).get() == 17; }, 60s);
    });
    ASSERT_EQ(outer.wait(60s), tg::WaitOutcome::ready) << "round " << round;
    EXPECT_EQ(outer.get(), WaitStatus::condition_met);
  }
}

void wait_inside_a_predicate(bool with_time_out) {
  ThreadGroup group("bound of one", {.max_concurrent_threads = 1});
  std::atomic<int> at_work{0};
  std::atomic<int> most{0};
  const auto work = [&] {
    int seen = most.load();
    const int mine = ++at_work;
    while (mine > seen && !most.compare_exchange_weak(seen, mine)) {
    }
    EXPECT_TRUE(tg::thread_utils::event_aware_sleep(2ms));
    --at_work;
  };
  const auto outer = group.add_task([&] {
    std::vector<tg::TaskHandle<void>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(group.add_task(work));
    return tg::thread_utils::wait_for_condition(
        [&] {
          return std::all_of(tasks.begin(), tasks.end(), [&](const auto& t) {
            return (with_time_out ? t.wait(60s) : t.wait()) == tg::WaitOutcome::ready;
          });
        },
        60s);
  });
  EXPECT_EQ(outer.get(), WaitStatus::condition_met);
  EXPECT_EQ(most.load(), 1) << "more tasks at work than the bound allows";
}

TEST(Waiting, wait_inside_a_predicate_lends_no_second_place) {
  wait_inside_a_predicate(true);
  wait_inside_a_predicate(false);
}

// The slot is lent to the first task; the second one, run by the waiting thread itself, would have none.
TEST(Waiting, wait_inside_a_predicate_runs_nothing_without_a_place) {
  ThreadGroup group("bound of one", {.max_concurrent_threads = 1});
  std::atomic<bool> first_at_work{false}, overlapped{false};
  const auto outer = group.add_task([&] {
    return tg::thread_utils::wait_for_condition(
        [&] {
          std::latch running(1);
          const auto first = group.add_task([&] {
            first_at_work = true;
            running.count_down();
            EXPECT_TRUE(tg::thread_utils::event_aware_sleep(20ms));
            first_at_work = false;
          });
          running.wait();
          return group.add_task([&] { overlapped = first_at_work.load(); }).wait() ==
                     tg::WaitOutcome::ready &&
                 first.wait() == tg::WaitOutcome::ready;
        },
        60s);
  });
  EXPECT_EQ(outer.get(), WaitStatus::condition_met);
  EXPECT_FALSE(overlapped.load());
}

// What the predicate itself adds can still make it true.
TEST(Waiting, group_is_not_idle_when_the_predicate_has_just_added_a_task) {
  ThreadGroup group("starts its own work");
  std::atomic<bool> done{false};
  bool added = false;
  EXPECT_EQ(group.wait_for_condition(
                [&] {
                  if (!std::exchange(added, true)) group.post([&] { done = true; });
                  return done.load();
                },
                60s),
            WaitStatus::condition_met);
}

// With a bound of one, only one of the tasks can run, and each waits for the next.
TEST(Waiting, chain_of_waits_in_a_group_of_one_place_finishes) {
  ThreadGroup group("chain", {.max_concurrent_threads = 1});
  struct Chain {
    ThreadGroup& group;
    int operator()(int depth) const {
      if (depth == 0) return 0;
      return 1 + group.add_task(*this, depth - 1).get();
    }
  };
  EXPECT_EQ(group.add_task(Chain{group}, 100).get(), 100);
}

}  // namespace
}  // namespace waiting_test
