// SPDX-License-Identifier: Apache-2.0
// A join without a time limit runs tasks of the group on the stack of its caller.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <latch>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "runtime/threads.hpp"

#include "support/eventually.hpp"
#include "support/no_thread_left.hpp"

namespace tg {
namespace helping_join_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

class HelpingJoin : public test::NoThreadLeft {};

TEST_F(HelpingJoin, runs_what_is_pending_on_the_callers_thread) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  std::thread::id ran_on;
  group.post([&] {
    ran_on = std::this_thread::get_id();
    go.count_down();
  });
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_EQ(group.statistics().succeeded, 2U);
}

TEST_F(HelpingJoin, with_a_time_limit_runs_nothing) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  std::atomic<bool> ran{false};
  group.post([&] { ran = true; });
  EXPECT_TRUE(group.join(20ms).timed_out);
  EXPECT_FALSE(ran.load());
  go.count_down();
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(ran.load());
}

TEST_F(HelpingJoin, with_the_longest_time_limit_runs_nothing_either) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  std::thread::id ran_on;
  group.post([&] { ran_on = std::this_thread::get_id(); });
  std::thread later([&] {
    test::leave_time(20ms);  // for a join that would run it; without it, the test is only easier
    go.count_down();
  });
  EXPECT_TRUE(group.join(Duration::max()));
  later.join();
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST_F(HelpingJoin, takes_no_slot_that_the_bound_does_not_allow) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  block(group);
  std::atomic<bool> ran{false};
  group.post([&] { ran = true; });
  std::thread joiner([&] { EXPECT_TRUE(group.join()); });
  test::leave_time(20ms);  // for a join that would run it; without it, the test is only easier
  EXPECT_FALSE(ran.load());
  go.count_down();
  joiner.join();
  EXPECT_TRUE(ran.load());
}

TEST_F(HelpingJoin, runs_the_tasks_of_one_adder_in_their_order) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) group.post([&order, i] { order.push_back(i); });
  group.post([&] { go.count_down(); });
  EXPECT_TRUE(group.join());
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST_F(HelpingJoin, runs_each_task_as_one_of_its_group) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  std::string path;
  std::string child;
  group.post([&] {
    path = thread_utils::current_path();
    const ThreadGroup below("below");
    child = below.path();
    group.post([] {});  // to the queue of the one that runs it
    go.count_down();
  });
  EXPECT_TRUE(group.join());
  EXPECT_EQ(path, group.path());
  EXPECT_EQ(child, group.path() + "/below");
  EXPECT_EQ(ThreadGroup("after").path(), "MainThread/after");
  EXPECT_TRUE(thread_utils::event_aware_sleep(1ms));
  EXPECT_EQ(group.statistics().succeeded, 3U);
}

TEST_F(HelpingJoin, learns_of_a_stop_in_the_task_that_it_runs) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  std::latch asleep(1);
  bool slept = true;
  group.post([&] {
    asleep.count_down();
    slept = thread_utils::event_aware_sleep(600s);
    go.count_down();
  });
  std::thread stopper([&] {
    asleep.wait();
    group.set_event("enough");
  });
  EXPECT_TRUE(group.join());
  stopper.join();
  EXPECT_FALSE(slept);
}

TEST_F(HelpingJoin, delivers_the_failure_of_a_task_that_it_ran) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  group.post([&] {
    go.count_down();
    throw std::runtime_error("no luck");
  });
  EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
  EXPECT_EQ(group.statistics().failed, 1U);
}

TEST_F(HelpingJoin, in_a_handler_runs_nothing_that_would_see_its_exception) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  block(group);
  bool seen = false;
  std::thread::id ran_on;
  group.post([&] {
    seen = std::current_exception() != nullptr;
    ran_on = std::this_thread::get_id();
  });
  std::thread later([&] {
    test::leave_time(20ms);
    go.count_down();
  });
  try {
    throw std::runtime_error("handled");
  } catch (const std::runtime_error&) {
    EXPECT_TRUE(group.join());
  }
  later.join();
  EXPECT_FALSE(seen);
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST_F(HelpingJoin, in_a_task_runs_those_of_a_group_below) {
  ThreadGroup above("above");
  const auto same = above.add_task([&] {
    ThreadGroup below("below", {.max_concurrent_threads = 2});
    block(below);
    std::thread::id ran_on;
    std::string path;
    below.post([&] {
      ran_on = std::this_thread::get_id();
      path = thread_utils::current_path();
      go.count_down();
    });
    static_cast<void>(below.join());
    return ran_on == std::this_thread::get_id() && path == below.path() &&
           thread_utils::current_path() == above.path();
  });
  ASSERT_EQ(same.wait(60s), WaitOutcome::ready);  // in a thread of its own
  EXPECT_TRUE(same.get());
}

TEST_F(HelpingJoin, in_a_task_runs_none_of_a_group_elsewhere_and_ends_with_the_callers_event) {
  ThreadGroup elsewhere("elsewhere", {.max_concurrent_threads = 2});
  ThreadGroup group("group");
  std::atomic<bool> ran{false};
  std::latch blocked(1);
  elsewhere.post([&] {
    blocked.count_down();
    go.wait();
  });
  blocked.wait();
  std::latch joins(1);
  const auto joined = group.add_task([&] {
    joins.count_down();
    return elsewhere.join().event_set;
  });
  joins.wait();
  runtime::faults::refuse_threads(1'000'000);
  elsewhere.post([&] { ran = true; });
  test::leave_time(20ms);  // for a join that would run it; without it, the test is only easier
  EXPECT_FALSE(ran.load());
  group.set_event("stop");
  EXPECT_TRUE(joined.get());
  go.count_down();
  EXPECT_TRUE(elsewhere.join());
}

// The join waits for the task that it runs, that one for a task of the joiner's group, and that for the
// joiner's slot.
TEST_F(HelpingJoin, whose_task_closes_a_cycle_through_the_joiner_is_refused) {
  ThreadGroup above("above", {.max_concurrent_threads = 1});
  std::string said;
  const auto joiner = above.add_task([&] {
    const auto pending = above.add_task([] {});
    ThreadGroup below("below", {.max_concurrent_threads = 2});
    block(below);
    below.post([&] {
      try {
        static_cast<void>(pending.wait());
      } catch (const std::system_error& e) {
        said = e.what();
      }
      go.count_down();
    });
    static_cast<void>(below.join());
  });
  ASSERT_EQ(joiner.wait(60s), WaitOutcome::ready);  // in a thread of its own
  EXPECT_NE(said.find("waits for"), std::string::npos) << said;
  EXPECT_NE(said.find("above"), std::string::npos) << said;
}

TEST(HelpingJoins, of_many_threads_never_exceed_the_bound) {
  ThreadGroup group("three slots", {.max_concurrent_threads = 3});
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::atomic<int> ran{0};
  std::vector<std::thread> joiners;
  for (int t = 0; t < 6; ++t) {
    joiners.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        group.post([&] {
          const int now = running.fetch_add(1) + 1;
          int seen = most.load();
          while (now > seen && !most.compare_exchange_weak(seen, now)) {
          }
          std::this_thread::yield();
          ++ran;
          running.fetch_sub(1);
        });
        if (i % 3 == 0) {
          EXPECT_TRUE(group.join());
        }
      }
    });
  }
  for (std::thread& joiner : joiners) joiner.join();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran.load(), 1'800);
  EXPECT_LE(most.load(), 3);
  EXPECT_EQ(group.statistics().succeeded, 1'800U);
  eventually([&] { return group.statistics().threads == 0; });
}

int fib_with_a_group_for_each_level(int n) {
  if (n < 2) return n;
  int first = 0;
  int second = 0;
  ThreadGroup group("level", {.max_concurrent_threads = 2});
  group.post([&first, n] { first = fib_with_a_group_for_each_level(n - 1); });
  group.post([&second, n] { second = fib_with_a_group_for_each_level(n - 2); });
  static_cast<void>(group.join());
  return first + second;
}

TEST(HelpingJoins, of_groups_in_groups_need_few_threads) {
  runtime::ThreadCache& cache = runtime::ThreadCache::instance();
  // 1,597 joins, each in a task of its own. A busy machine may spoil one try.
  bool few = false;
  for (int tries = 0; tries < 10 && !few; ++tries) {
    const auto created = cache.statistics().created;
    EXPECT_EQ(fib_with_a_group_for_each_level(16), 987);
    few = cache.statistics().created - created < 200;
  }
  EXPECT_TRUE(few);
}

int nested(int depth) {
  if (depth == 0) return 0;
  int inner = 0;
  ThreadGroup group("level", {.max_concurrent_threads = 1});
  group.post([&inner, depth] { inner = nested(depth - 1); });
  static_cast<void>(group.join());
  return inner + 1;
}

TEST(HelpingJoins, end_where_half_of_the_stack_is_used) { EXPECT_EQ(nested(3'000), 3'000); }

}  // namespace
}  // namespace helping_join_test
}  // namespace tg
