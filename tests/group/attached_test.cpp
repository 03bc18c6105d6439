// SPDX-License-Identifier: Apache-2.0
// Threads that act as part of a group, and calls at a stop.
#include <threadgroup/attached.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

namespace tg {
namespace attached_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

TEST(Attached, thread_is_stopped_with_the_group) {
  ThreadGroup group("g");
  std::latch asleep(1);
  std::jthread thread([&] {
    const Attached attached(group);
    asleep.count_down();
    EXPECT_FALSE(event_aware_sleep(1h));
    EXPECT_EQ(thread_utils::reason()->message, "enough");
  });
  asleep.wait();
  group.set_event("enough");
}

TEST(Attached, thread_makes_groups_below_and_calls_for_the_group) {
  ThreadGroup group("g");
  const Attached attached(group);
  const ThreadGroup below("below");
  EXPECT_EQ(below.path(), "MainThread/g/below");
  EXPECT_EQ(thread_utils::current_path(), "MainThread/g");
  EXPECT_TRUE(thread_utils::set_event("by the thread"));
  EXPECT_TRUE(group.event_is_set());
  EXPECT_TRUE(below.event_is_set());
}

TEST(Attached, thread_may_join_the_group) {
  ThreadGroup group("g");
  const Attached attached(group);
  group.post([] {});
  EXPECT_TRUE(group.join().all_succeeded());
}

TEST(Attached, in_a_scope_sets_the_event_of_the_group) {
  ThreadGroup group("g");
  const Attached attached(group);
  StopScope scope("s");
  EXPECT_EQ(thread_utils::current_path(), "MainThread/g/s");
  EXPECT_TRUE(thread_utils::set_event());
  EXPECT_TRUE(group.event_is_set());
  EXPECT_TRUE(scope.event_is_set());
}

TEST(Attached, group_that_is_destroyed_stops_the_thread) {
  auto group = std::make_unique<ThreadGroup>("g");
  std::latch asleep(1);
  std::jthread thread([&] {
    const Attached attached(*group);
    asleep.count_down();
    EXPECT_FALSE(event_aware_sleep(1h));
    EXPECT_EQ(thread_utils::reason()->kind, ReasonKind::destroyed);
  });
  asleep.wait();
  group.reset();
}

TEST(Attached, what_a_thread_makes_after_the_end_of_its_group_is_born_stopped) {
  auto group = std::make_unique<ThreadGroup>("g");
  const Attached attached(*group);
  group.reset();
  std::vector<std::unique_ptr<ThreadGroup>> late;
  for (int i = 0; i < 40; ++i) late.push_back(std::make_unique<ThreadGroup>("late"));
  for (int i = 0; i < 40; ++i) {
    const ThreadGroup brief("brief");
    EXPECT_TRUE(brief.event_is_set());
  }
  EXPECT_EQ(late[0]->path(), "MainThread/late");
  EXPECT_EQ(late[0]->reason()->kind, ReasonKind::destroyed);
  StopScope scope;
  EXPECT_TRUE(scope.event_is_set());
}

TEST(Attached, in_a_task_is_an_error_that_names_both_groups) {
  ThreadGroup other("other");
  ThreadGroup group("g");
  const auto task = group.add_task([&] {
    try {
      const Attached attached(other);
    } catch (const std::logic_error& e) {
      return std::string(e.what());
    }
    return std::string();
  });
  EXPECT_EQ(
      task.get(),
      "Attached to group 'other': the caller is a task, at MainThread/g, and stays part of its own group; "
      "attach a thread that runs no task");
}

// --- OnStop ---

TEST(OnStop, calls_its_function_once_when_the_scope_is_stopped) {
  StopScope scope;
  int calls = 0;
  const OnStop on_stop([&] { ++calls; });
  EXPECT_EQ(calls, 0);
  scope.set_event();
  EXPECT_EQ(calls, 1);
  scope.set_event();
  EXPECT_EQ(calls, 1);
}

TEST(OnStop, calls_it_at_once_if_that_was_stopped_before) {
  StopScope scope;
  scope.set_event();
  int calls = 0;
  {
    const OnStop on_stop([&] { ++calls; });
    EXPECT_EQ(calls, 1);
  }
  EXPECT_EQ(calls, 1);
}

TEST(OnStop, does_not_call_it_after_its_end_or_outside_scopes_and_tasks) {
  int calls = 0;
  const OnStop outside([&] { ++calls; });
  StopScope scope;
  {
    const OnStop on_stop([&] { ++calls; });
  }
  scope.set_event();
  EXPECT_EQ(calls, 0);
}

TEST(OnStop, ends_a_wait_of_the_task_that_the_library_does_not_know) {
  ThreadGroup group("g");
  std::latch waits(1);
  const auto task = group.add_task([&] {
    std::latch foreign(1);
    const OnStop on_stop([&] { foreign.count_down(); });
    waits.count_down();
    foreign.wait();
    return thread_utils::event_is_set();
  });
  waits.wait();
  group.set_event();
  EXPECT_TRUE(task.get());
}

TEST(OnStop, destructor_waits_for_a_call_on_another_thread) {
  StopScope scope;
  std::latch begun(1);
  std::latch go_on(1);
  std::atomic<bool> has_ended = false;
  auto on_stop = std::make_unique<OnStop>([&] {
    begun.count_down();
    go_on.wait();
    has_ended = true;
  });
  std::jthread setter([&] { scope.set_event(); });
  begun.wait();
  std::jthread releaser([&] { go_on.count_down(); });
  on_stop.reset();
  EXPECT_TRUE(has_ended);
}

TEST(OnStop, function_may_destroy_the_object) {
  StopScope scope;
  std::unique_ptr<OnStop> on_stop;
  on_stop = std::make_unique<OnStop>([&] { on_stop.reset(); });
  scope.set_event();
  EXPECT_EQ(on_stop, nullptr);
}

TEST(OnStop, function_may_destroy_another_one_that_has_not_been_called) {
  StopScope scope;
  int calls = 0;
  std::unique_ptr<OnStop> first;
  std::unique_ptr<OnStop> second;
  const auto end_both = [&] {
    ++calls;
    first.reset();
    second.reset();
  };
  first = std::make_unique<OnStop>(end_both);
  second = std::make_unique<OnStop>(end_both);
  scope.set_event();
  EXPECT_EQ(calls, 1);
}

TEST(OnStop, function_that_takes_long_does_not_delay_those_who_wait_below) {
  StopScope scope;
  ThreadGroup below("below");
  std::latch woken(1);
  std::latch asleep(1);
  below.post([&] {
    asleep.count_down();
    EXPECT_FALSE(event_aware_sleep(1h));
    woken.count_down();
  });
  asleep.wait();
  const OnStop on_stop([&] { woken.wait(); });
  scope.set_event();
  EXPECT_TRUE(below.join().event_set || below.event_is_set());
}

TEST(OnStop, function_at_a_deadline_may_wait_for_another_deadline) {
  // If the deadline comes before the function is registered, its constructor calls it: then once more, with more time.
  std::thread::id called_on;
  for (Duration time = 1ms; called_on == std::thread::id() || called_on == std::this_thread::get_id();
       time = Duration::from_nanos(2 * time.nanos())) {
    StopScope scope(time);
    bool inner_timed_out = false;
    std::latch called(1);  // an object that ends before the call is not called
    const OnStop on_stop([&] {
      StopScope inner(1ms);
      inner_timed_out = !event_aware_sleep(1h) && inner.timed_out();
      called_on = std::this_thread::get_id();
      called.count_down();
    });
    EXPECT_FALSE(event_aware_sleep(1h));
    called.wait();
    EXPECT_TRUE(inner_timed_out || called_on == std::this_thread::get_id());
  }
}

TEST(OnStop, function_may_wait_for_a_task_in_its_grace) {
  StopScope scope;
  ThreadGroup group("g");
  std::latch in_shield(1);
  const auto cleans = group.add_task([&] {
    const Shield shield(2ms);
    in_shield.count_down();
    return event_aware_sleep(1h);
  });
  in_shield.wait();
  WaitOutcome outcome = WaitOutcome::timed_out;
  const OnStop on_stop([&] { outcome = cleans.wait(1h); });
  std::jthread([&] { scope.set_event(); }).join();
  EXPECT_EQ(outcome, WaitOutcome::ready);
}

TEST(OnStop, takes_a_function_that_can_only_be_moved) {
  StopScope scope;
  bool called = false;
  const OnStop on_stop([&called, owned = std::make_unique<int>(1)] { called = *owned == 1; });
  scope.set_event();
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace attached_test
}  // namespace tg
