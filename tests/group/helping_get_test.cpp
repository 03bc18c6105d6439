// SPDX-License-Identifier: Apache-2.0
// A wait for a task without a time limit runs that task on the stack of its caller.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <threadgroup/threadgroup.hpp>

#include "runtime/faults.hpp"

#include "support/no_thread_left.hpp"

namespace tg {
namespace helping_get_test {
namespace {

using namespace std::chrono_literals;

class HelpingGet : public test::NoThreadLeft {};

TEST_F(HelpingGet, runs_the_next_task_on_the_callers_thread_and_no_other) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  const auto wanted = group.add_task([] { return std::this_thread::get_id(); });
  std::atomic<bool> other_ran{false};
  group.post([&] { other_ran = true; });
  EXPECT_EQ(wanted.get(), std::this_thread::get_id());
  EXPECT_FALSE(other_ran.load());
  EXPECT_EQ(group.statistics().succeeded, 1U);
  EXPECT_EQ(group.statistics().pending, 1U);
  go.count_down();
  EXPECT_TRUE(group.join(60s));
  EXPECT_TRUE(other_ran.load());
}

TEST_F(HelpingGet, leaves_the_order_of_an_adders_tasks_as_it_is) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  std::atomic<bool> first_ran{false};
  group.post([&] { first_ran = true; });
  const auto wanted = group.add_task([&] { return first_ran.load(); });
  std::thread later([&] {
    test::leave_time(20ms);  // for a wait that would run it; without it, the test is only easier
    go.count_down();
  });
  EXPECT_TRUE(wanted.get());
  later.join();
}

TEST_F(HelpingGet, with_a_time_limit_runs_nothing) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  const auto wanted = group.add_task([] {});
  EXPECT_EQ(wanted.wait(20ms), WaitOutcome::timed_out);
  EXPECT_EQ(wanted.status(), TaskStatus::pending);
  go.count_down();
  EXPECT_EQ(wanted.wait(Duration::max()), WaitOutcome::ready);
}

TEST_F(HelpingGet, takes_no_slot_that_the_bound_does_not_allow) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  block(group);
  const auto wanted = group.add_task([] { return std::this_thread::get_id(); });
  std::thread later([&] {
    test::leave_time(20ms);  // for a wait that would run it; without it, the test is only easier
    EXPECT_EQ(wanted.status(), TaskStatus::pending);
    go.count_down();
  });
  EXPECT_NE(wanted.get(), std::this_thread::get_id());
  later.join();
}

TEST_F(HelpingGet, in_a_task_runs_one_of_a_group_below) {
  ThreadGroup above("above");
  const auto same = above.add_task([&] {
    ThreadGroup below("below", {.max_concurrent_threads = 2});
    block(below);
    const auto wanted = below.add_task([&] {
      return thread_utils::current_path() == below.path() ? std::this_thread::get_id() : std::thread::id();
    });
    const bool here = wanted.get() == std::this_thread::get_id();
    go.count_down();
    return here && thread_utils::current_path() == above.path();
  });
  ASSERT_EQ(same.wait(60s), WaitOutcome::ready);  // in a thread of its own
  EXPECT_TRUE(same.get());
}

TEST_F(HelpingGet, in_a_task_runs_none_of_a_group_elsewhere) {
  ThreadGroup elsewhere("elsewhere", {.max_concurrent_threads = 2});
  ThreadGroup group("group");
  std::latch waits(1);
  std::latch blocked(1);
  elsewhere.post([&] {
    blocked.count_down();
    go.wait();
  });
  blocked.wait();
  TaskHandle<void> wanted;
  std::latch added(1);
  const auto interrupted = group.add_task([&] {
    waits.count_down();
    added.wait();
    return wanted.wait() == WaitOutcome::event_set;
  });
  waits.wait();
  runtime::faults::refuse_threads(1'000'000);
  wanted = elsewhere.add_task([] {});
  added.count_down();
  test::leave_time(20ms);  // for a wait that would run it; without it, the test is only easier
  EXPECT_EQ(wanted.status(), TaskStatus::pending);
  group.set_event("stop");
  EXPECT_TRUE(interrupted.get());
  go.count_down();
  EXPECT_TRUE(elsewhere.join());
}

TEST_F(HelpingGet, delivers_the_failure_of_the_task_that_it_ran) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  const auto wanted = group.add_task([] { throw std::runtime_error("no luck"); });
  EXPECT_THROW(wanted.get(), std::runtime_error);
  go.count_down();
  EXPECT_TRUE(group.join());  // delivered once
}

// The wait is for the task that the caller runs, that one waits for a task of the caller's group, and that
// for its slot.
TEST_F(HelpingGet, whose_task_closes_a_cycle_through_the_caller_is_refused) {
  ThreadGroup above("above", {.max_concurrent_threads = 1});
  std::string said;
  const auto caller = above.add_task([&] {
    const auto pending = above.add_task([] {});
    ThreadGroup below("below", {.max_concurrent_threads = 2});
    block(below);
    const auto wanted = below.add_task([&] {
      try {
        static_cast<void>(pending.wait());
      } catch (const std::system_error& e) {
        said = e.what();
      }
    });
    wanted.get();
    go.count_down();
  });
  ASSERT_EQ(caller.wait(60s), WaitOutcome::ready);  // in a thread of its own
  EXPECT_NE(said.find("waits for"), std::string::npos) << said;
}

int fib(int n) {
  if (n < 2) return n;
  ThreadGroup group("level", {.max_concurrent_threads = 2});
  const auto first = group.add_task([n] { return fib(n - 1); });
  const auto second = group.add_task([n] { return fib(n - 2); });
  return first.get() + second.get();
}

TEST(HelpingGets, of_groups_in_groups_need_few_threads) {
  runtime::ThreadCache& cache = runtime::ThreadCache::instance();
  // 1,597 groups. A busy machine may spoil one try.
  bool few = false;
  for (int tries = 0; tries < 10 && !few; ++tries) {
    const auto created = cache.statistics().created;
    EXPECT_EQ(fib(16), 987);
    few = cache.statistics().created - created < 200;
  }
  EXPECT_TRUE(few);
}

}  // namespace
}  // namespace helping_get_test
}  // namespace tg
