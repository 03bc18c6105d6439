// SPDX-License-Identifier: Apache-2.0
// Handles: states, waiting, results of all kinds, and what they outlive.
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/clock.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "support/eventually.hpp"

namespace tg {
namespace task_handle_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

TEST(TaskHandle, goes_from_pending_through_running_to_succeeded) {
  std::latch go(1);
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  const auto first = group.add_task([&] { go.wait(); });
  const auto second = group.add_task([] { return 5; });
  eventually([&] { return first.status() == TaskStatus::running; });
  EXPECT_EQ(second.status(), TaskStatus::pending);
  EXPECT_FALSE(second.done());
  go.count_down();
  EXPECT_EQ(second.wait(), WaitOutcome::ready);
  EXPECT_EQ(second.status(), TaskStatus::succeeded);
  EXPECT_EQ(first.status(), TaskStatus::succeeded);
  EXPECT_EQ(second.get(), 5);
  EXPECT_EQ(second.exception(), nullptr);
  EXPECT_FALSE(second.reason());
}

TEST(TaskHandle, default_made_has_no_task) {
  TaskHandle<int> handle;
  EXPECT_FALSE(handle.valid());
  ThreadGroup group;
  handle = group.add_task([] { return 1; });
  EXPECT_TRUE(handle.valid());
  EXPECT_EQ(handle.get(), 1);
  handle = TaskHandle<int>();
  EXPECT_FALSE(handle.valid());
}

TEST(TaskHandle, copies_look_at_the_same_task) {
  ThreadGroup group;
  const auto a = group.add_task([] { return std::string("x"); });
  auto b = a;
  const auto c = std::move(b);
  EXPECT_FALSE(b.valid());  // NOLINT: what a moved-from one is, is the point
  EXPECT_EQ(a.get(), "x");
  EXPECT_EQ(c.get(), "x");
  EXPECT_EQ(&a.view(), &c.view());
}

TEST(TaskHandle, has_the_given_name_or_a_number) {
  ThreadGroup group;
  const auto named = group.add_task(TaskName{"fetch 17"}, [] {});
  const auto unnamed = group.add_task([] {});
  EXPECT_EQ(named.name(), "fetch 17");
  EXPECT_EQ(unnamed.name(), "task 2");
  EXPECT_EQ(&unnamed.name(), &unnamed.name());
}

TEST(TaskHandle, get_rethrows_the_failure_each_time) {
  ThreadGroup group;
  const auto handle = group.add_task([]() -> int { throw std::out_of_range("far"); });
  EXPECT_THROW(handle.get(), std::out_of_range);
  EXPECT_THROW(handle.get(), std::out_of_range);
  EXPECT_THROW(handle.view(), std::out_of_range);
  EXPECT_EQ(handle.status(), TaskStatus::failed);
  EXPECT_NE(handle.exception(), nullptr);
  EXPECT_TRUE(group.join());  // it was seen: a join tells it no more
}

TEST(TaskHandle, looking_at_the_exception_is_not_seeing_it) {
  ThreadGroup group;
  const auto handle = group.add_task([] { throw std::out_of_range("far"); });
  EXPECT_EQ(handle.wait(), WaitOutcome::ready);
  EXPECT_NE(handle.exception(), nullptr);
  EXPECT_THROW(static_cast<void>(group.join()), std::out_of_range);
}

TEST(TaskHandle, get_of_a_skipped_task_throws_with_the_reason) {
  ThreadGroup group("g");
  group.set_event("enough");
  const auto handle = group.add_task(TaskName{"late"}, [] { return 1; });
  EXPECT_EQ(handle.status(), TaskStatus::skipped);
  EXPECT_EQ(handle.reason()->message, "enough");
  EXPECT_EQ(handle.wait(), WaitOutcome::ready);
  try {
    handle.get();
    FAIL() << "no error";
  } catch (const TaskSkipped& e) {
    EXPECT_EQ(e.reason().origin_path, "MainThread/g");
    EXPECT_NE(std::string(e.what()).find("late"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("enough"), std::string::npos);
  }
}

TEST(TaskHandle, wait_with_a_time_out_says_whether_it_ended) {
  std::latch go(1);
  ThreadGroup group;
  const auto handle = group.add_task([&] { go.wait(); });
  const TimePoint until = tg::now() + 5ms;
  EXPECT_EQ(handle.wait(5ms), WaitOutcome::timed_out);
  EXPECT_GE(tg::now(), until);
  EXPECT_EQ(handle.wait(0s), WaitOutcome::timed_out);
  EXPECT_EQ(handle.wait(-1s), WaitOutcome::timed_out);
  EXPECT_EQ(handle.wait(Duration::min()), WaitOutcome::timed_out);
  go.count_down();
  EXPECT_EQ(handle.wait(std::chrono::hours::max()), WaitOutcome::ready);
  EXPECT_EQ(handle.wait(0s), WaitOutcome::ready);
}

TEST(TaskHandle, wait_says_if_the_callers_event_is_set_first) {
  std::latch go(1);
  std::latch begun(1);
  std::latch waiting(1);
  ThreadGroup other;
  const auto slow = other.add_task([&] {
    begun.count_down();
    go.wait();
  });
  begun.wait();
  ThreadGroup group;
  const auto waits = group.add_task([&] {
    waiting.count_down();
    return slow.wait();
  });
  const auto gets = group.add_task([&] { slow.get(); });
  waiting.wait();
  group.set_event("no more");
  EXPECT_EQ(waits.get(), WaitOutcome::event_set);
  EXPECT_EQ(gets.wait(), WaitOutcome::ready);
  if (gets.status() == TaskStatus::stopped) {  // else it was skipped
    try {
      gets.get();
      FAIL() << "no error";
    } catch (const WaitInterrupted& e) {
      EXPECT_EQ(e.reason().message, "no more");
    }
  }
  EXPECT_EQ(slow.status(), TaskStatus::running);
  go.count_down();
}

TEST(TaskHandle, task_that_waits_for_itself_gets_an_error) {
  ThreadGroup group;
  std::optional<TaskHandle<void>> self;
  std::latch ready(1);
  self = group.add_task(TaskName{"narcissus"}, [&] {
    ready.wait();
    try {
      static_cast<void>(self->wait());
      FAIL() << "no error";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur);
      EXPECT_NE(std::string(e.what()).find("narcissus"), std::string::npos);
    }
    EXPECT_THROW(self->get(), std::system_error);
    EXPECT_THROW(static_cast<void>(self->wait(0s)), std::system_error);
  });
  ready.count_down();
  EXPECT_EQ(self->wait(), WaitOutcome::ready);
  EXPECT_TRUE(group.join());
}

TEST(TaskHandle, task_that_waits_for_its_own_group_lends_its_place) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  const auto outer = group.add_task([&] {
    const auto inner = group.add_task([&] {
      const auto innermost = group.add_task([] { return 3; });
      return innermost.get() + 1;
    });
    return inner.get() + 1;
  });
  EXPECT_EQ(outer.get(), 5);
}

TEST(TaskHandle, outlives_the_group) {
  TaskHandle<std::string> done;
  TaskHandle<int> skipped;
  TaskHandle<void> failed;
  set_unseen_failure_handler([](const std::string&, const Failure&) {});
  {
    ThreadGroup group("g", {.max_concurrent_threads = 1});
    done = group.add_task([] { return std::string(100, 'x'); });
    failed = group.add_task([] { throw std::runtime_error("late"); });
    EXPECT_EQ(failed.wait(), WaitOutcome::ready);
    std::latch started(1);
    group.post([&] {
      started.count_down();
      while (!thread_utils::event_is_set()) std::this_thread::yield();
    });
    skipped = group.add_task([] { return 1; });
    started.wait();
  }
  set_unseen_failure_handler({});
  EXPECT_EQ(done.get(), std::string(100, 'x'));
  EXPECT_EQ(skipped.reason()->kind, ReasonKind::destroyed);
  EXPECT_THROW(skipped.get(), TaskSkipped);
  EXPECT_THROW(failed.get(), std::runtime_error);
}

TEST(TaskHandle, many_threads_may_wait_for_one_task) {
  std::latch go(1);
  ThreadGroup group;
  const auto handle = group.add_task([&] {
    go.wait();
    return 7;
  });
  std::vector<std::thread> waiters;
  std::atomic<int> sum{0};
  for (int i = 0; i < 6; ++i) waiters.emplace_back([&, handle] { sum += handle.get(); });
  go.count_down();
  for (auto& waiter : waiters) waiter.join();
  EXPECT_EQ(sum, 42);
}

TEST(TaskHandle, what_the_task_wrote_is_seen_by_a_thread_that_sees_it_done) {
  for (int round = 0; round < 200; ++round) {
    ThreadGroup group;
    int written = 0;
    const auto handle = group.add_task([&] { written = round; });
    while (!handle.done()) std::this_thread::yield();
    EXPECT_EQ(written, round);
  }
}

TEST(TaskHandle, take_moves_out_what_only_looks_as_if_it_could_be_copied) {
  ThreadGroup group;
  const auto handle = group.add_task([] {
    std::vector<std::unique_ptr<int>> made;
    made.push_back(std::make_unique<int>(7));
    return made;
  });
  EXPECT_EQ(*handle.take().front(), 7);
  EXPECT_THROW(handle.take(), std::logic_error);
}

TEST(TaskHandle, a_result_that_was_taken_is_not_handed_out_again) {
  ThreadGroup group;
  const auto handle = group.add_task([] { return std::string("once"); });
  EXPECT_EQ(handle.take(), "once");
  EXPECT_THROW(handle.get(), std::logic_error);
}

}  // namespace
}  // namespace task_handle_test
}  // namespace tg
