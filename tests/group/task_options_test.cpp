// SPDX-License-Identifier: Apache-2.0
// Tasks with a time limit or an event of their own, and results that are awaited for a time.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <memory>
#include <string>

#include <threadgroup/errors.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "support/eventually.hpp"

namespace tg {
namespace task_options_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

void sleep_or_leave() {
  if (!event_aware_sleep(1h)) thread_utils::throw_if_event_set();
}

TEST(TaskOptions, time_limit_stops_the_task_and_no_other_one) {
  ThreadGroup group("g");
  const auto limited = group.add_task(TaskOptions{.name = "limited", .time_limit = 2ms}, sleep_or_leave);
  const auto other = group.add_task([&] {
    EXPECT_EQ(limited.wait(), WaitOutcome::ready);
    return thread_utils::event_is_set();
  });
  EXPECT_FALSE(other.get());
  EXPECT_EQ(limited.status(), TaskStatus::stopped);
  EXPECT_EQ(limited.reason()->kind, ReasonKind::deadline);
  EXPECT_EQ(limited.reason()->origin_path, "MainThread/g/limited");
  EXPECT_EQ(group.join().str(), "done: 1 succeeded, 1 stopped");
}

TEST(TaskOptions, task_with_an_event_of_its_own_is_stopped_by_its_handle) {
  ThreadGroup group("g");
  std::latch runs(1);
  const auto task = group.add_task(TaskOptions{.name = "t", .own_event = true}, [&] {
    runs.count_down();
    sleep_or_leave();
  });
  runs.wait();
  EXPECT_TRUE(task.set_event("not needed any more"));
  EXPECT_FALSE(task.set_event("again"));
  EXPECT_EQ(task.wait(), WaitOutcome::ready);
  EXPECT_EQ(task.status(), TaskStatus::stopped);
  EXPECT_EQ(task.reason()->message, "not needed any more");
  EXPECT_FALSE(group.event_is_set());
  EXPECT_FALSE(task.set_event("too late"));
}

TEST(TaskOptions, pending_task_is_skipped_by_its_handle) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::latch runs(1);
  std::latch go_on(1);
  group.post([&] {
    runs.count_down();
    go_on.wait();
  });
  runs.wait();
  const auto plain = group.add_task([] { return 1; });
  const auto limited = group.add_task(TaskOptions{.time_limit = 1h}, [] { return 2; });
  EXPECT_TRUE(plain.set_event("not needed"));
  EXPECT_TRUE(limited.set_event("not needed"));
  EXPECT_FALSE(plain.set_event());
  EXPECT_EQ(plain.status(), TaskStatus::skipped);
  EXPECT_EQ(limited.status(), TaskStatus::skipped);
  EXPECT_EQ(plain.reason()->message, "not needed");
  EXPECT_EQ(plain.reason()->origin_path, "MainThread/g");
  go_on.count_down();
  EXPECT_EQ(group.join().counts.skipped, 2U);
}

TEST(TaskOptions, running_task_without_an_event_of_its_own_is_not_affected) {
  ThreadGroup group("g");
  std::latch runs(1);
  std::latch go_on(1);
  const auto task = group.add_task([&] {
    runs.count_down();
    go_on.wait();
    return thread_utils::event_is_set();
  });
  runs.wait();
  EXPECT_FALSE(task.set_event());
  go_on.count_down();
  EXPECT_FALSE(task.get());
}

TEST(TaskOptions, task_is_stopped_with_its_group_all_the_same) {
  ThreadGroup group("g");
  std::latch runs(1);
  const auto task = group.add_task(TaskOptions{.own_event = true}, [&] {
    runs.count_down();
    sleep_or_leave();
  });
  runs.wait();
  group.set_event("all");
  EXPECT_EQ(task.wait(), WaitOutcome::ready);
  EXPECT_EQ(task.reason()->message, "all");
  EXPECT_EQ(task.status(), TaskStatus::stopped);
}

TEST(TaskOptions, token_of_the_task_is_that_of_its_own_event) {
  ThreadGroup group("g");
  std::latch runs(1);
  const auto task = group.add_task(TaskOptions{.own_event = true}, [&](std::stop_token token) {
    runs.count_down();
    test::eventually([&] { return token.stop_requested(); });
    return thread_utils::event_is_set();
  });
  runs.wait();
  task.set_event();
  EXPECT_TRUE(task.get());
}

TEST(TaskOptions, alone_with_a_name_are_a_name_and_know_the_place) {
  ThreadGroup group("g");
  const auto task = group.add_task(TaskOptions{.name = "named"}, [] {});
  const int line = __LINE__ - 1;
  EXPECT_EQ(task.name(), "named");
  EXPECT_EQ(task.added_at().line, line);
}

TEST(TaskOptions, posted_task_may_have_a_name_or_a_limit) {
  ThreadGroup group("g");
  group.post(TaskName("named"), [] { throw 7; });
  group.post(TaskOptions{.name = "limited", .time_limit = 1ms}, sleep_or_leave);
  const JoinResult result = group.wait_idle();
  ASSERT_EQ(result.failures.size(), 1U);
  EXPECT_EQ(result.failures[0].task, "named");
  EXPECT_EQ(result.counts.stopped, 1U);
}

TEST(TaskOptions, scope_of_the_task_is_in_the_snapshot_while_it_runs) {
  ThreadGroup group("g");
  const auto path = group.add_task(TaskOptions{.name = "t", .own_event = true}, [] {
    return std::make_pair(thread_utils::current_path(),
                          ThreadEventsController::instance().snapshot().find("t") != nullptr);
  });
  EXPECT_EQ(path.get(), std::make_pair(std::string("MainThread/g/t"), true));
  group.join();
  EXPECT_EQ(ThreadEventsController::instance().snapshot().find("t"), nullptr);
}

TEST(TaskOptions, task_that_is_added_if_there_is_room_has_its_own_event_too) {
  ThreadGroup group("g");
  const auto task = group.try_add_task(TaskOptions{.name = "t", .time_limit = 1ms}, sleep_or_leave);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->wait(), WaitOutcome::ready);
  EXPECT_EQ(task->status(), TaskStatus::stopped);
}

// --- Results within a time ---

TEST(GetWithTimeout, throws_timed_out_and_leaves_the_task) {
  ThreadGroup group("g");
  std::latch go_on(1);
  const auto task = group.add_task(TaskName("slow"), [&] {
    go_on.wait();
    return 1;
  });
  try {
    task.get(2ms);
    FAIL();
  } catch (const TimedOut& e) {
    EXPECT_STREQ(e.what(), "task 'slow' has not ended within 2 ms");
  }
  go_on.count_down();
  EXPECT_EQ(task.get(1h), 1);
}

TEST(GetWithTimeout, returns_a_result_that_can_only_be_moved) {
  ThreadGroup group("g");
  const auto task = group.add_task([] { return std::make_unique<int>(3); });
  EXPECT_EQ(*task.get(1h), 3);
}

}  // namespace
}  // namespace task_options_test
}  // namespace tg
