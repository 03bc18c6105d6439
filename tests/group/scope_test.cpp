// SPDX-License-Identifier: Apache-2.0
// Scopes: what stops them, what they stop, where they are in the tree, and misuse.
#include <threadgroup/scope.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "support/in_child.hpp"

namespace tg {
namespace scope_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

// --- What stops it ---

TEST(Scope, on_the_main_thread_ends_a_sleep_at_its_deadline) {
  StopScope scope(2ms, "fetch");
  EXPECT_FALSE(event_aware_sleep(1h));
  EXPECT_TRUE(scope.event_is_set());
  EXPECT_TRUE(scope.timed_out());
  ASSERT_TRUE(scope.reason());
  EXPECT_EQ(scope.reason()->kind, ReasonKind::deadline);
  EXPECT_EQ(scope.reason()->message, "2 ms");
  EXPECT_EQ(scope.reason()->origin_path, "MainThread/fetch");
  EXPECT_EQ(thread_utils::reason()->str(), scope.reason()->str());
}

TEST(Scope, after_its_end_the_flow_is_as_before) {
  {
    StopScope scope(0s);
    EXPECT_FALSE(event_aware_sleep(1h));
  }
  EXPECT_FALSE(thread_utils::event_is_set());
  EXPECT_TRUE(event_aware_sleep(1ms));
  EXPECT_FALSE(thread_utils::reason());
}

TEST(Scope, without_time_is_stopped_from_the_start) {
  for (int i = 0; i < 100; ++i) {
    StopScope scope(-1ms, "s");
    ASSERT_TRUE(scope.timed_out());
    ASSERT_FALSE(event_aware_sleep(0s));
  }
  StopScope scope(0s);
  EXPECT_EQ(scope.reason()->message, "0 s");
  EXPECT_EQ(scope.reason()->kind, ReasonKind::deadline);
}

TEST(Scope, once_stopped_each_later_call_returns_at_once) {
  StopScope scope;
  EXPECT_FALSE(scope.event_is_set());
  EXPECT_TRUE(scope.set_event("enough"));
  EXPECT_FALSE(scope.set_event("again"));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(event_aware_sleep(1h));
  EXPECT_EQ(scope.reason()->message, "enough");
  EXPECT_FALSE(scope.timed_out());
  EXPECT_THROW(thread_utils::throw_if_event_set(), Stopped);
  ThreadGroup group("late");
  EXPECT_EQ(group.add_task([] {}).status(), TaskStatus::skipped);
}

TEST(Scope, is_stopped_from_another_thread) {
  StopScope scope("s");
  std::jthread other([&] { scope.set_event("from outside"); });
  EXPECT_FALSE(event_aware_sleep(1h));
  EXPECT_EQ(scope.reason()->message, "from outside");
}

TEST(Scope, is_stopped_with_the_group_of_its_task) {
  ThreadGroup group("g");
  std::latch asleep(1);
  const auto task = group.add_task([&] {
    StopScope scope(1h, "inside");
    asleep.count_down();
    const bool whole = event_aware_sleep(1h);
    EXPECT_FALSE(scope.timed_out());
    return whole ? std::string() : scope.reason()->origin_path;
  });
  asleep.wait();
  group.set_event("enough");
  EXPECT_EQ(task.get(), "MainThread/g");
}

TEST(Scope, made_in_a_stopped_task_is_born_stopped) {
  ThreadGroup group("g");
  const auto task = group.add_task([&] {
    group.set_event("early");
    StopScope scope(1h);
    return scope.event_is_set() && !scope.timed_out() && !event_aware_sleep(1h);
  });
  EXPECT_TRUE(task.get());
}

TEST(Scope, stops_only_what_is_inside) {
  ThreadGroup group("g");
  const auto task = group.add_task([&] {
    {
      StopScope scope(1ms);
      EXPECT_FALSE(event_aware_sleep(1h));
    }
    EXPECT_FALSE(group.event_is_set());
    return event_aware_sleep(1ms);
  });
  EXPECT_TRUE(task.get());
  EXPECT_EQ(task.status(), TaskStatus::succeeded);
}

TEST(Scope, of_all_that_are_nested_the_innermost_counts) {
  StopScope outer("outer");
  StopScope middle(1h, "middle");
  {
    StopScope inner("inner");
    inner.set_event();
    EXPECT_FALSE(event_aware_sleep(1h));
    EXPECT_FALSE(middle.event_is_set());
  }
  EXPECT_FALSE(thread_utils::event_is_set());
  StopScope inner("inner");
  outer.set_event("all");
  EXPECT_TRUE(inner.event_is_set());
  EXPECT_EQ(inner.reason()->origin_path, "MainThread/outer");
}

TEST(Scope, is_stopped_by_the_controller_as_a_group_is) {
  StopScope scope("s");
  ThreadEventsController::instance().set_all_events("all");
  EXPECT_FALSE(event_aware_sleep(1h));
  EXPECT_EQ(scope.reason()->message, "all");
}

// --- What it stops ---

TEST(Scope, ends_a_wait_for_a_handle_and_a_get) {
  std::latch go_on(1);
  ThreadGroup group("g");
  const auto task = group.add_task([&] { go_on.wait(); });
  {
    StopScope scope(1ms);
    EXPECT_EQ(task.wait(), WaitOutcome::event_set);
    EXPECT_THROW(task.get(), WaitInterrupted);
  }
  go_on.count_down();
  EXPECT_EQ(task.wait(), WaitOutcome::ready);
}

TEST(Scope, ends_a_join_of_a_group_outside) {
  std::latch go_on(1);
  ThreadGroup group("g");
  group.post([&] { go_on.wait(); });
  {
    StopScope scope(1ms);
    const JoinResult result = group.join();
    EXPECT_TRUE(result.event_set);
    EXPECT_FALSE(group.event_is_set());
  }
  go_on.count_down();
  EXPECT_TRUE(group.join().all_succeeded());
}

TEST(Scope, stops_a_group_that_was_made_in_it_so_that_a_join_ends) {
  StopScope scope(2ms, "s");
  ThreadGroup group("inside");
  EXPECT_EQ(group.path(), "MainThread/s/inside");
  const auto task = group.add_task([] { return event_aware_sleep(1h); });
  const JoinResult result = group.join();
  EXPECT_EQ(result.reason->kind, ReasonKind::deadline);
  EXPECT_EQ(result.reason->origin_path, "MainThread/s");
  EXPECT_FALSE(task.status() == TaskStatus::succeeded && task.get());  // or skipped, if it came late
}

TEST(Scope, ends_wait_for_condition) {
  std::latch go_on(1);
  ThreadGroup group("g");
  group.post([&] { go_on.wait(); });
  {
    StopScope scope(1ms);
    EXPECT_EQ(group.wait_for_condition([] { return false; }, 1h), WaitStatus::event_set);
  }
  EXPECT_FALSE(group.event_is_set());
  go_on.count_down();
}

TEST(Scope, requests_stop_of_its_tokens) {
  StopScope scope;
  const std::stop_token own = scope.get_stop_token();
  const std::stop_token here = thread_utils::stop_token();
  EXPECT_FALSE(own.stop_requested());
  scope.set_event();
  EXPECT_TRUE(own.stop_requested());
  EXPECT_TRUE(here.stop_requested());
}

TEST(Scope, waiter_in_a_scope_runs_no_task_on_its_own_stack) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  const auto task = group.add_task([] { return std::this_thread::get_id(); });
  StopScope scope(1h);
  EXPECT_NE(task.get(), std::this_thread::get_id());
}

TEST(Scope, with_a_deadline_is_no_deadlock) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::optional<TaskHandle<WaitOutcome>> first;
  std::latch known(1);
  first = group.add_task([&] {
    known.wait();
    StopScope scope(5ms);
    ThreadGroup helper("helper");
    const auto second = helper.add_task([&] { return first->wait(); });
    static_cast<void>(second.wait());  // ends with the scope
    return WaitOutcome::event_set;
  });
  known.count_down();
  EXPECT_EQ(first->get(), WaitOutcome::event_set);
}

// --- In the tree ---

TEST(Scope, is_a_node_of_the_snapshot_while_it_lives) {
  std::optional<StopScope> scope(std::in_place, "visible");
  const ThreadGroup group("g");
  ForestSnapshot now = ThreadEventsController::instance().snapshot();
  const NodeSnapshot* node = now.find("visible");
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->kind, NodeKind::scope);
  EXPECT_EQ(now.find(group.id())->parent, node->id);
  EXPECT_NE(to_text(now).find("visible (scope)"), std::string::npos);
  EXPECT_EQ(thread_utils::current_path(), "MainThread/visible");
  scope.reset();
  now = ThreadEventsController::instance().snapshot();
  EXPECT_EQ(now.find("visible"), nullptr);
  EXPECT_EQ(group.path(), "MainThread/g");  // handed to the node above
}

TEST(Scope, without_a_name_gets_one_with_its_number) {
  StopScope scope;
  EXPECT_EQ(thread_utils::current_path().find("MainThread/StopScope-"), 0U);
}

TEST(Scope, many_in_a_row_leave_nothing_behind) {
  for (int i = 0; i < 100; ++i) {
    StopScope outer(1h);
    StopScope inner;
    if (i % 3 == 0) {
      const ThreadGroup group;
    }
    if (i % 7 == 0) outer.set_event();
  }
  EXPECT_TRUE(ThreadEventsController::instance().snapshot().nodes.empty());
}

TEST(Scope, group_that_outlives_it_is_not_stopped_by_it) {
  std::unique_ptr<ThreadGroup> group;
  {
    StopScope scope("s");
    group = std::make_unique<ThreadGroup>("g");
  }
  EXPECT_FALSE(group->event_is_set());
  EXPECT_EQ(group->add_task([] { return 1; }).get(), 1);
}

TEST(Scope, task_that_sets_the_event_stops_its_group_and_not_only_the_scope) {
  ThreadGroup group("g");
  const auto task = group.add_task([] {
    StopScope scope;
    return thread_utils::set_event("own group");
  });
  EXPECT_TRUE(task.get());
  EXPECT_TRUE(group.event_is_set());
}

TEST(Scope, on_a_foreign_thread_is_below_its_root) {
  std::jthread([] {
    StopScope scope(1ms, "s");
    EXPECT_FALSE(event_aware_sleep(1h));
    EXPECT_NE(scope.reason()->origin_path.find("/s"), std::string::npos);
  }).join();
}

// --- Outcomes ---

TEST(Scope, stop_that_leaves_the_task_after_the_scope_has_ended_is_a_failure) {
  ThreadGroup group("g");
  const auto task = group.add_task([] {
    StopScope scope;
    scope.set_event("only here");
    thread_utils::throw_if_event_set();
  });
  EXPECT_EQ(task.wait(), WaitOutcome::ready);
  EXPECT_EQ(task.status(), TaskStatus::failed);
  EXPECT_THROW(task.get(), Stopped);
}

TEST(Scope, group_made_in_a_stopped_task_says_why_it_did_nothing) {
  ThreadGroup group("g");
  const auto text = group.add_task([&] {
    group.set_event("enough");
    ThreadGroup late("late");
    late.post([] {});
    return late.join().str();
  });
  EXPECT_EQ(text.get(), "stopped (requested: enough): 1 skipped");
}

// --- Misuse ---

using ScopeDeathTest = testing::Test;

TEST(ScopeDeathTest, destroyed_out_of_order_ends_the_process_with_both_names) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto outer = std::make_unique<StopScope>("outer");
        const StopScope inner("inner");
        outer.reset();
      },
      "scope 'outer' was destroyed before 'inner'");
}

TEST(ScopeDeathTest, destroyed_on_another_thread_ends_the_process) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto scope = std::make_unique<StopScope>("s");
        std::thread([&] { scope.reset(); }).join();
      },
      "scope 's' was destroyed on another thread");
}

TEST(ScopeDeathTest, open_at_the_end_of_its_task_ends_the_process_with_both_names) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadGroup group("g");
        std::unique_ptr<StopScope> scope;
        static_cast<void>(
            group.add_task(TaskName("t"), [&] { scope = std::make_unique<StopScope>("open"); }).wait());
        group.join();
      },
      "scope 'open' is still open at the end of task 't' of group 'g'");
}

TEST(Scope, of_the_parent_means_nothing_in_a_forked_child) {
  StopScope scope("s");
  const pid_t child = test::start_child([&] {
    {
      StopScope own(1ms);
      REQUIRE_IN_CHILD(!event_aware_sleep(1h));
    }
    REQUIRE_IN_CHILD(event_aware_sleep(1ms));
  });
  EXPECT_EQ(test::status_of(child), 0);
}

}  // namespace
}  // namespace scope_test
}  // namespace tg
