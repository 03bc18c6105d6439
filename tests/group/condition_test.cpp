// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition: every outcome, when the predicate is looked at, and what it may do.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"

namespace tg {
namespace condition_test {
namespace {

using namespace std::chrono_literals;
const Duration kForever = std::chrono::hours::max();
// No look by the clock: what makes the wait look is what the test does.
const ConditionOptions kNoClock{.interval = 1h, .stop_when_idle = false};

TEST(WaitStatus, has_a_name_for_each) {
  EXPECT_STREQ(to_string(WaitStatus::condition_met), "condition_met");
  EXPECT_STREQ(to_string(WaitStatus::event_set), "event_set");
  EXPECT_STREQ(to_string(WaitStatus::timed_out), "timed_out");
  EXPECT_STREQ(to_string(WaitStatus::group_idle), "group_idle");
  EXPECT_STREQ(to_string(static_cast<WaitStatus>(99)), "unknown");
}

bool always() { return true; }

TEST(WaitForCondition, true_at_the_start_sets_the_event_with_reason_condition_met) {
  ThreadGroup group("g");
  EXPECT_EQ(group.wait_for_condition(always, 0s), WaitStatus::condition_met);
  EXPECT_EQ(group.reason()->kind, ReasonKind::condition_met);
  EXPECT_EQ(group.reason()->origin_path, "MainThread/g");
  EXPECT_EQ(group.reason()->where.line, static_cast<std::uint32_t>(__LINE__ - 3));
}

TEST(WaitForCondition, met_by_a_task_stops_the_others) {
  std::atomic<int> verified{0};
  ThreadGroup group("g", {.max_concurrent_threads = 2});
  const auto sleeper = group.add_task([] { return thread_utils::event_aware_sleep(kForever); });
  while (sleeper.status() != TaskStatus::running) std::this_thread::yield();
  group.post([&] { ++verified; });
  EXPECT_EQ(group.wait_for_condition([&] { return verified > 0; }, kForever, kNoClock),
            WaitStatus::condition_met);
  EXPECT_FALSE(sleeper.get());
}

TEST(WaitForCondition, looks_whenever_a_task_of_the_group_finishes) {
  std::binary_semaphore next(0);
  std::atomic<int> looks{0};
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  for (int i = 0; i < 3; ++i) group.post([&] { next.acquire(); });
  std::thread feeder([&] {
    for (int i = 0; i < 3; ++i) {
      const int before = looks;
      next.release();
      test::eventually([&] { return looks > before; });
    }
  });
  const auto predicate = [&] {
    ++looks;
    return group.statistics().succeeded == 3;
  };
  EXPECT_EQ(group.wait_for_condition(predicate, kForever, kNoClock), WaitStatus::condition_met);
  feeder.join();
}

TEST(WaitForCondition, checks_the_predicate_after_each_notify) {
  std::atomic<bool> flag{false};
  std::atomic<int> looks{0};
  ThreadGroup group;
  std::thread notifier([&] {
    for (int i = 0; i < 3; ++i) {
      test::eventually([&] { return looks > i; });
      group.notify();
    }
    flag = true;
    group.notify();
  });
  const auto predicate = [&] {
    ++looks;
    return flag.load();
  };
  EXPECT_EQ(group.wait_for_condition(predicate, kForever, kNoClock), WaitStatus::condition_met);
  notifier.join();
  EXPECT_GE(looks, 3);
}

TEST(WaitForCondition, looks_every_interval) {
  int looks = 0;
  ThreadGroup group;
  const TimePoint earliest = runtime::after(4ms);
  EXPECT_EQ(group.wait_for_condition([&] { return ++looks == 5; }, kForever,
                                     {.interval = 1ms, .stop_when_idle = false}),
            WaitStatus::condition_met);
  EXPECT_GE(runtime::now(), earliest);
}

TEST(WaitForCondition, looks_once_more_at_the_deadline) {
  // True only from the deadline on, and no call says so: the last look finds it.
  ThreadGroup group;
  const TimePoint deadline = runtime::after(5ms);
  EXPECT_EQ(group.wait_for_condition([&] { return runtime::now() >= deadline; }, 6ms, kNoClock),
            WaitStatus::condition_met);
}

TEST(WaitForCondition, timed_out_leaves_the_event_untouched) {
  std::latch go(1);
  ThreadGroup group;
  group.post([&] { go.wait(); });
  const TimePoint until = runtime::after(5ms);
  EXPECT_EQ(group.wait_for_condition([] { return false; }, 5ms), WaitStatus::timed_out);
  EXPECT_GE(runtime::now(), until);
  EXPECT_EQ(group.wait_for_condition([] { return false; }, 0s), WaitStatus::timed_out);
  EXPECT_EQ(group.wait_for_condition([] { return false; }, -1h), WaitStatus::timed_out);
  EXPECT_FALSE(group.event_is_set());
  go.count_down();
}

TEST(WaitForCondition, returns_event_set_without_spinning_when_another_thread_set_it) {
  std::latch go(1);
  std::atomic<int> looks{0};
  ThreadGroup group;
  group.post([&] { go.wait(); });  // the group is not idle
  std::thread setter([&] {
    test::eventually([&] { return looks > 0; });
    group.set_event("other");
  });
  const auto predicate = [&] {
    ++looks;
    return false;
  };
  EXPECT_EQ(group.wait_for_condition(predicate, kForever, kNoClock), WaitStatus::event_set);
  setter.join();
  EXPECT_EQ(group.reason()->message, "other");
  EXPECT_LE(looks, 3);
  looks = 0;
  EXPECT_EQ(group.wait_for_condition(predicate, kForever, kNoClock), WaitStatus::event_set);
  EXPECT_EQ(looks, 1);
  go.count_down();
}

TEST(WaitForCondition, group_idle_when_nothing_is_left_that_could_make_it_true) {
  ThreadGroup group;
  EXPECT_EQ(group.wait_for_condition([] { return false; }, kForever), WaitStatus::group_idle);
  for (int i = 0; i < 5; ++i) group.post([] {});
  EXPECT_EQ(group.wait_for_condition([] { return false; }, kForever, {.interval = 1h}),
            WaitStatus::group_idle);
  EXPECT_EQ(group.statistics().succeeded, 5u);
  EXPECT_FALSE(group.event_is_set());
}

TEST(WaitForCondition, option_keeps_waiting_when_the_group_is_idle) {
  std::atomic<int> looks{0};
  ThreadGroup group;
  std::atomic<bool> flag{false};
  std::thread later([&] {
    test::eventually([&] { return looks > 0; });
    group.post([&] { flag = true; });
  });
  EXPECT_EQ(group.wait_for_condition(
                [&] {
                  ++looks;
                  return flag.load();
                },
                kForever, kNoClock),
            WaitStatus::condition_met);
  later.join();
}

TEST(WaitForCondition, predicate_that_throws_is_rethrown_and_the_event_untouched) {
  ThreadGroup group;
  EXPECT_THROW(
      static_cast<void>(group.wait_for_condition([]() -> bool { throw std::runtime_error("p"); }, 1s)),
      std::runtime_error);
  EXPECT_FALSE(group.event_is_set());
  EXPECT_EQ(group.add_task([] { return 1; }).get(), 1);
}

TEST(WaitForCondition, predicate_may_wait_take_locks_and_use_the_group) {
  std::mutex mutex;
  std::vector<int> users;
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  for (int i = 0; i < 5; ++i) {
    group.post([&, i] {
      const std::lock_guard lock(mutex);
      users.push_back(i);
    });
  }
  const auto predicate = [&] {
    EXPECT_EQ(group.add_task([] { return 1; }).get(), 1);
    EXPECT_FALSE(group.path().empty());
    const std::lock_guard lock(mutex);
    return users.size() == 5;
  };
  EXPECT_EQ(group.wait_for_condition(predicate, kForever), WaitStatus::condition_met);
}

TEST(WaitForCondition, predicate_runs_on_the_waiting_thread) {
  // Whatever makes it look: the start, a task's end, a notification, the clock, the deadline.
  const auto me = std::this_thread::get_id();
  int looks = 0;
  ThreadGroup group;
  EXPECT_EQ(group.wait_for_condition(
                [&] {
                  EXPECT_EQ(std::this_thread::get_id(), me);
                  EXPECT_EQ(thread_utils::current_path(), "MainThread");
                  if (++looks < 20) group.post([&] { thread_utils::notify(); });
                  return looks == 40;
                },
                kForever, {.interval = 1ms, .stop_when_idle = false}),
            WaitStatus::condition_met);
  EXPECT_EQ(group.wait_for_condition(
                [&] {
                  EXPECT_EQ(std::this_thread::get_id(), me);
                  return true;
                },
                0s),
            WaitStatus::condition_met);
}

TEST(WaitForCondition, interval_defaults_to_100_ms_and_an_idle_group_ends_it) {
  EXPECT_EQ(ConditionOptions{}.interval, Duration(100ms));
  EXPECT_TRUE(ConditionOptions{}.stop_when_idle);
}

TEST(WaitForCondition, interval_must_be_above_zero) {
  ThreadGroup group;
  for (const Duration interval : {Duration(0s), Duration(-1s)}) {
    EXPECT_THROW(static_cast<void>(group.wait_for_condition(always, 1s, {.interval = interval})),
                 std::invalid_argument);
  }
  EXPECT_FALSE(group.event_is_set());
}

TEST(WaitForCondition, in_a_task_waits_for_the_tasks_own_group) {
  std::atomic<bool> flag{false};
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  const auto waits = group.add_task([&] {
    return thread_utils::wait_for_condition([&] { return flag.load(); }, kForever,
                                            {.interval = 1h, .stop_when_idle = false});
  });
  group.post([&] { flag = true; });  // on the slot of the one that waits
  EXPECT_EQ(waits.get(), WaitStatus::condition_met);
  EXPECT_EQ(group.reason()->kind, ReasonKind::condition_met);
  EXPECT_EQ(group.reason()->task, "task 1");
}

TEST(WaitForCondition, in_a_task_the_task_itself_does_not_keep_the_group_busy) {
  ThreadGroup group;
  const auto waits =
      group.add_task([] { return thread_utils::wait_for_condition([] { return false; }, kForever); });
  EXPECT_EQ(waits.get(), WaitStatus::group_idle);
}

TEST(WaitForCondition, in_a_task_notify_makes_the_waiters_of_its_group_look) {
  std::atomic<bool> flag{false};
  std::atomic<bool> over{false};
  ThreadGroup group;
  group.post([&] {
    flag = true;
    thread_utils::notify();
    while (!over) std::this_thread::yield();  // it does not finish before the condition was seen
  });
  EXPECT_EQ(group.wait_for_condition([&] { return flag.load(); }, kForever, kNoClock),
            WaitStatus::condition_met);
  over = true;
}

TEST(WaitForCondition, of_another_group_ends_when_the_callers_event_is_set) {
  std::latch go(1);
  ThreadGroup other;
  other.post([&] { go.wait(); });
  ThreadGroup group;
  std::latch looked(1);
  std::atomic<int> looks{0};
  const auto task = group.add_task([&] {
    return other.wait_for_condition(
        [&] {
          if (++looks == 1) looked.count_down();
          return false;
        },
        kForever, kNoClock);
  });
  looked.wait();
  group.set_event();
  EXPECT_EQ(task.get(), WaitStatus::event_set);
  EXPECT_FALSE(other.event_is_set());
  go.count_down();
}

TEST(WaitForCondition, where_there_is_no_group_it_throws) {
  EXPECT_THROW(static_cast<void>(thread_utils::wait_for_condition(always, 1s)), NoGroupError);
  EXPECT_THROW(thread_utils::notify(), NoGroupError);
}

TEST(WaitForCondition, several_may_wait_and_one_set_wakes_all) {
  std::atomic<bool> flag{false};
  ThreadGroup group;
  std::atomic<int> met{0};
  std::atomic<int> told{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      const auto status = group.wait_for_condition([&] { return flag.load(); }, kForever, kNoClock);
      ++(status == WaitStatus::condition_met ? met : told);
    });
  }
  flag = true;
  group.notify();
  for (auto& waiter : waiters) waiter.join();
  EXPECT_GE(met, 1);
  EXPECT_EQ(met + told, 4);
}

}  // namespace
}  // namespace condition_test
}  // namespace tg
