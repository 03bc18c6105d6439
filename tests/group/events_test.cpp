// SPDX-License-Identifier: Apache-2.0
// Events of groups: reach, reasons, what happens to tasks, stop tokens and time limits.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>
#include <threadgroup/vault.hpp>

#include "runtime/faults.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"
#include "support/eventually.hpp"
#include "support/reasons.hpp"

namespace tg {
namespace events_test {
namespace {

using namespace std::chrono_literals;

const Key<int> kNeverThere{"never there"};

// Waits in a task until it is stopped.
void until_told() { EXPECT_FALSE(thread_utils::event_aware_sleep(std::chrono::hours::max())); }

TEST(Events, set_event_returns_whether_this_call_set_it_and_the_first_reason_stays) {
  ThreadGroup group("g");
  EXPECT_FALSE(group.event_is_set());
  EXPECT_FALSE(group.reason());
  EXPECT_TRUE(group.set_event("first"));
  EXPECT_FALSE(group.set_event("second"));
  EXPECT_FALSE(group.set_event_for_child_tasks("third"));
  EXPECT_TRUE(group.event_is_set());
  EXPECT_EQ(group.reason()->message, "first");
}

TEST(Events, set_event_for_child_tasks_is_the_same) {
  ThreadGroup group("g");
  std::latch asleep(1);
  const auto outer = group.add_task([&] {
    ThreadGroup inner("inner");
    return inner
        .add_task([&] {
          asleep.count_down();
          until_told();
          return thread_utils::reason()->origin_path;
        })
        .wait();
  });
  const auto pending_or_told = group.add_task([] { return thread_utils::event_aware_sleep(1h); });
  asleep.wait();
  EXPECT_TRUE(group.set_event_for_child_tasks("seeds"));
  EXPECT_EQ(group.reason()->message, "seeds");
  EXPECT_EQ(group.reason()->kind, ReasonKind::requested);
  EXPECT_EQ(outer.wait(), WaitOutcome::ready);
  EXPECT_EQ(pending_or_told.wait(), WaitOutcome::ready);
  EXPECT_FALSE(group.set_event("again"));
}

TEST(Events, event_is_never_cleared) {
  ThreadGroup group("g");
  group.set_event("the end");
  group.post([] {});
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(group.wait_idle());
  EXPECT_EQ(group.clear_pending(), 0u);
  EXPECT_EQ(group.wait_for_condition([] { return true; }, 1h), WaitStatus::condition_met);
  group.register_function("f", [] {});
  group.execute();
  EXPECT_TRUE(group.event_is_set());
  EXPECT_EQ(group.reason()->message, "the end");
  EXPECT_EQ(group.reason()->kind, ReasonKind::requested);
  EXPECT_EQ(group.add_task([] {}).status(), TaskStatus::skipped);
}

TEST(Events, reason_says_kind_message_origin_source_and_time) {
  ThreadGroup group("g");
  const TimePoint before = runtime::now();
  group.set_event("why");
  const auto line = static_cast<std::uint32_t>(__LINE__ - 1);
  test::expect_requested(*group.reason(), group, "why", line, before);
}

TEST(Events, thread_utils_set_event_reaches_the_siblings_and_names_the_task) {
  ThreadGroup group("g", {.max_concurrent_threads = 2});
  std::latch started(1);
  const auto sibling = group.add_task([&] {
    started.count_down();
    until_told();
    return thread_utils::reason()->task;
  });
  started.wait();
  const auto setter = group.add_task(TaskName{"setter"}, [] { return thread_utils::set_event("enough"); });
  EXPECT_TRUE(setter.get());
  EXPECT_EQ(sibling.get(), "setter");
  EXPECT_EQ(group.reason()->task, "setter");
}

TEST(Events, set_event_reaches_nested_groups_and_their_sleepers) {
  ThreadGroup top("top");
  std::latch asleep(1);
  const auto outer = top.add_task([&] {
    ThreadGroup inner("inner");
    const auto deep = inner.add_task([&] {
      asleep.count_down();
      until_told();
      return thread_utils::reason()->origin_path;
    });
    static_cast<void>(inner.wait_idle());
    return deep.get();
  });
  asleep.wait();
  top.set_event("down");
  EXPECT_EQ(outer.wait(), WaitOutcome::ready);
  // The inner handle's result was there, so `get` needed no wait and nothing interrupted it.
  EXPECT_EQ(outer.get(), "MainThread/top");
}

TEST(Events, group_made_by_a_task_after_the_event_is_born_set) {
  ThreadGroup top("top");
  std::latch told(1);
  const auto task = top.add_task([&] {
    told.wait();
    ThreadGroup late("late");
    return late.reason()->origin_path + " " + to_string(late.add_task([] {}).status());
  });
  while (task.status() != TaskStatus::running) std::this_thread::yield();
  top.set_event();
  told.count_down();
  EXPECT_EQ(task.get(), "MainThread/top skipped");
}

TEST(Events, pending_tasks_are_skipped_and_a_running_one_that_completes_keeps_its_result) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::latch started(1);
  std::latch go(1);
  const auto running = group.add_task([&] {
    started.count_down();
    go.wait();
    return 42;
  });
  bool ran = false;
  const auto pending = group.add_task([&] { ran = true; });
  started.wait();
  group.set_event("stop");
  EXPECT_EQ(pending.status(), TaskStatus::skipped);
  EXPECT_EQ(pending.reason()->message, "stop");
  EXPECT_EQ(running.status(), TaskStatus::running);
  go.count_down();
  EXPECT_EQ(running.get(), 42);
  EXPECT_TRUE(group.join());
  EXPECT_FALSE(ran);
  EXPECT_EQ(group.statistics().skipped, 1u);
}

// Each of them begins when the event is set already; that they wake when it comes is said of each elsewhere.
TEST(Events, running_task_learns_of_a_stop_from_every_event_aware_call) {
  std::latch go(1);
  ThreadGroup elsewhere("elsewhere", {.max_concurrent_threads = 1});
  const auto endless = elsewhere.add_task([&] {
    go.wait();
    return 1;
  });
  elsewhere.register_function("f", [] {});
  Vault vault("v", {kNeverThere});
  const auto never = [] { return false; };
  ThreadGroup group("g");
  const auto told = group.add_task([&](std::stop_token token) {
    thread_utils::set_event("stop");
    EXPECT_TRUE(token.stop_requested());
    EXPECT_TRUE(thread_utils::event_is_set());
    EXPECT_EQ(thread_utils::reason()->message, "stop");
    EXPECT_FALSE(thread_utils::event_aware_sleep(1h));
    EXPECT_EQ(endless.wait(), WaitOutcome::event_set);
    EXPECT_EQ(endless.wait(1h), WaitOutcome::event_set);
    EXPECT_THROW(endless.get(), WaitInterrupted);
    EXPECT_TRUE(elsewhere.join().event_set);
    EXPECT_TRUE(elsewhere.join(1h).event_set);
    EXPECT_TRUE(elsewhere.wait_idle().event_set);
    EXPECT_EQ(elsewhere.wait_for_condition(never, 1h), WaitStatus::event_set);
    EXPECT_EQ(thread_utils::wait_for_condition(never, 1h), WaitStatus::event_set);
    EXPECT_FALSE(elsewhere.execute_results().complete());
    auto results = as_completed(std::vector{endless});
    EXPECT_EQ(results.next(), nullptr);
    EXPECT_TRUE(results.interrupted());
    EXPECT_EQ(vault.wait_for(kNeverThere), KeyWait::event_set);
    EXPECT_EQ(vault.wait_for_all(1h, kNeverThere), KeyWait::event_set);
    return 42;
  });
  EXPECT_EQ(told.get(), 42);  // and it keeps its result
  EXPECT_FALSE(elsewhere.event_is_set());
  go.count_down();
  EXPECT_TRUE(elsewhere.join());
}

TEST(Events, nothing_throws_for_having_been_cancelled_unless_a_throwing_form_was_chosen) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::latch started(1);
  std::latch go(1);
  group.post([&] {
    started.count_down();
    go.wait();
  });
  group.register_function("f", [] { return 1; });
  const auto skipped = group.add_task([] { return 1; });
  started.wait();
  EXPECT_NO_THROW(group.set_event("stop"));
  EXPECT_EQ(skipped.wait(), WaitOutcome::ready);
  EXPECT_EQ(skipped.wait(1h), WaitOutcome::ready);
  EXPECT_EQ(skipped.exception(), nullptr);
  EXPECT_EQ(group.wait_for_condition([] { return false; }, 1h), WaitStatus::event_set);
  EXPECT_TRUE(group.join(0s).timed_out);
  go.count_down();
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(group.wait_idle().failures.empty());
  EXPECT_EQ(group.execute()[0].status(), TaskStatus::skipped);
  EXPECT_EQ(group.statistics().failed, 0u);
  EXPECT_THROW(skipped.get(), TaskSkipped);
  EXPECT_THROW(group.get_results()[0].as<int>(), TaskSkipped);
}

TEST(Events, add_task_after_the_event_returns_a_handle_that_is_already_skipped) {
  ThreadGroup group("g");
  group.set_event("over");
  bool ran = false;
  const auto handle = group.add_task([&] { ran = true; });
  group.post([&] { ran = true; });
  EXPECT_EQ(handle.status(), TaskStatus::skipped);
  EXPECT_EQ(handle.reason()->message, "over");
  EXPECT_EQ(group.statistics().skipped, 2u);
  EXPECT_TRUE(group.join());
  EXPECT_FALSE(ran);
}

TEST(StopToken, sees_a_stop_request_when_the_event_is_set) {
  ThreadGroup group;
  const std::stop_token before = group.get_stop_token();
  EXPECT_TRUE(before.stop_possible());
  EXPECT_FALSE(before.stop_requested());
  int calls = 0;
  const std::stop_callback callback(before, [&] { ++calls; });
  group.set_event();
  EXPECT_TRUE(before.stop_requested());
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(group.get_stop_token().stop_requested());
}

TEST(StopToken, asked_for_after_the_event_has_stopped_already) {
  ThreadGroup group;
  group.set_event();
  EXPECT_TRUE(group.get_stop_token().stop_requested());
}

TEST(StopToken, of_a_child_sees_a_stop_request_at_an_ancestors_event) {
  ThreadGroup top;
  std::latch ready(1);
  const auto task = top.add_task([&] {
    ThreadGroup inner;
    const auto token = inner.get_stop_token();
    ready.count_down();
    until_told();
    // The setter comes to the tokens after the flags.
    while (!token.stop_requested()) std::this_thread::yield();
  });
  ready.wait();
  top.set_event();
  EXPECT_EQ(task.wait(), WaitOutcome::ready);
}

TEST(StopToken, outlives_the_group_and_sees_a_stop_request_at_its_end) {
  std::stop_token token;
  {
    ThreadGroup group;
    token = group.get_stop_token();
  }
  EXPECT_TRUE(token.stop_requested());
}

TEST(StopToken, callbacks_may_use_the_group) {
  ThreadGroup group("g");
  std::string seen;
  const std::stop_callback callback(group.get_stop_token(), [&] {
    seen = group.reason()->message + group.path() + std::to_string(group.statistics().total());
    EXPECT_FALSE(group.set_event("again"));
  });
  group.set_event("m");
  EXPECT_EQ(seen, "mMainThread/g0");
}

TEST(OnFailure, set_event_tells_the_others_at_the_first_failure) {
  ThreadGroup group("g", {.max_concurrent_threads = 2, .on_failure = OnFailure::set_event});
  std::latch started(1);
  const auto other = group.add_task([&] {
    started.count_down();
    until_told();
  });
  started.wait();
  group.add_task(TaskName{"bad"}, [] { throw std::runtime_error("disk full"); });
  other.get();
  const Reason reason = *group.reason();
  EXPECT_EQ(reason.kind, ReasonKind::failure);
  EXPECT_EQ(reason.task, "bad");
  EXPECT_THROW(std::rethrow_exception(reason.exception), std::runtime_error);
  EXPECT_NE(reason.str().find("disk full"), std::string::npos);
  EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
}

TEST(OnFailure, keep_going_is_the_default) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.post([] { throw std::runtime_error("x"); });
  const auto next = group.add_task([] { return 1; });
  EXPECT_EQ(next.get(), 1);
  EXPECT_FALSE(group.event_is_set());
  EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
}

TEST(TimeLimit, sets_the_event_with_reason_deadline) {
  const TimePoint earliest = runtime::after(2ms);
  ThreadGroup group("g", {.time_limit = 2ms});
  EXPECT_EQ(group.add_task(until_told).wait(), WaitOutcome::ready);
  EXPECT_EQ(group.reason()->kind, ReasonKind::deadline);
  EXPECT_EQ(group.reason()->origin_path, "MainThread/g");
  EXPECT_GE(group.reason()->when, earliest);
  EXPECT_EQ(group.reason()->message, "2 ms");
}

TEST(TimeLimit, of_zero_or_less_has_passed_already) {
  for (const Duration limit : {Duration(0s), Duration(-1h), Duration::min()}) {
    ThreadGroup group("g", {.time_limit = limit});
    test::eventually([&] { return group.event_is_set(); });
  }
}

TEST(TimeLimit, shorter_one_comes_first_and_huge_ones_never) {
  ThreadGroup never("never", {.time_limit = std::chrono::hours::max()});
  ThreadGroup late("late", {.time_limit = 1h});
  ThreadGroup soon("soon", {.time_limit = 1ms});
  test::eventually([&] { return soon.event_is_set(); });
  EXPECT_FALSE(late.event_is_set());
  EXPECT_FALSE(never.event_is_set());
}

TEST(TimeLimit, of_a_group_that_is_gone_means_nothing) {
  for (int i = 0; i < 200; ++i) {
    const ThreadGroup group("g", {.time_limit = std::chrono::microseconds(i)});
  }
}

TEST(TimeLimit, that_cannot_be_watched_because_no_thread_starts_is_an_error) {
  auto& cache = runtime::ThreadCache::instance();
  cache.set_limits(0, runtime::ThreadCache::kDefaultIdleTime);
  test::eventually([&] { return cache.statistics().threads == 0; });  // also the one that watched before
  runtime::faults::refuse_threads(1);
  EXPECT_THROW(ThreadGroup("g", {.time_limit = 1h}), std::system_error);
  {
    ThreadGroup group("g", {.time_limit = 1ms});  // and the next one works
    test::eventually([&] { return group.event_is_set(); });
  }
  cache.set_limits(runtime::ThreadCache::kDefaultMaxIdle, runtime::ThreadCache::kDefaultIdleTime);
}

}  // namespace
}  // namespace events_test
}  // namespace tg
