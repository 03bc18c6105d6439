// SPDX-License-Identifier: Apache-2.0
// Joining: failures, time-outs, many joiners, and who may not join.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"

namespace tg {
namespace join_test {
namespace {

using namespace std::chrono_literals;

TEST(Join, of_a_group_without_tasks_is_done_at_once) {
  ThreadGroup group;
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(group.join(0s));
  EXPECT_TRUE(group.wait_idle());
  EXPECT_TRUE(group.wait_idle(-1s));
}

TEST(Join, waits_until_nothing_is_pending_or_running) {
  std::atomic<int> done{0};
  ThreadGroup group("g", {.max_concurrent_threads = 2});
  for (int i = 0; i < 20; ++i) {
    group.post([&] {
      group.post([&] { ++done; });  // comes while the join waits
      ++done;
    });
  }
  EXPECT_TRUE(group.join());
  EXPECT_EQ(done, 40);
  EXPECT_TRUE(group.statistics().idle());
}

TEST(Join, one_failure_is_rethrown_as_itself_and_once) {
  ThreadGroup group;
  group.post([] { throw std::out_of_range("far"); });
  try {
    static_cast<void>(group.join());
    FAIL() << "no error";
  } catch (const std::out_of_range& e) {
    EXPECT_STREQ(e.what(), "far");
  }
  EXPECT_TRUE(group.join());
}

TEST(Join, several_failures_are_one_task_failures_in_order_with_task_names) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.add_task(TaskName{"first"}, [] { throw std::runtime_error("a"); });
  group.post([] {});
  group.post([] { throw 7; });
  group.add_task(TaskName{"last"}, [] { throw std::logic_error("c"); });
  try {
    static_cast<void>(group.join());
    FAIL() << "no error";
  } catch (const TaskFailures& e) {
    ASSERT_EQ(e.failures().size(), 3u);
    EXPECT_EQ(e.failures()[0].task, "first");
    EXPECT_EQ(e.failures()[1].task, "task 3");
    EXPECT_EQ(e.failures()[2].task, "last");
    EXPECT_THROW(std::rethrow_exception(e.failures()[1].exception), int);
    EXPECT_NE(std::string(e.what()).find("MainThread/g"), std::string::npos);
  }
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().failed, 3u);
}

TEST(Join, one_exception_does_not_take_the_queue_behind_it_along) {
  std::atomic<int> ran{0};
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.post([] { throw std::runtime_error("x"); });
  for (int i = 0; i < 50; ++i) group.post([&] { ++ran; });
  EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
  EXPECT_EQ(ran, 50);
}

TEST(Join, exceptions_not_derived_from_std_exception_are_kept_too) {
  struct Odd {
    int value;
  };
  ThreadGroup group;
  group.post([] { throw Odd{5}; });
  try {
    static_cast<void>(group.join());
    FAIL() << "no error";
  } catch (const Odd& e) {
    EXPECT_EQ(e.value, 5);
  }
}

TEST(Join, wait_idle_returns_failures_instead_of_throwing_them) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.post([] { throw std::runtime_error("a"); });
  group.post([] { throw std::runtime_error("b"); });
  const JoinResult result = group.wait_idle();
  EXPECT_TRUE(result);
  ASSERT_EQ(result.failures.size(), 2u);
  EXPECT_EQ(describe_exception(result.failures[1].exception), "b");
  EXPECT_TRUE(group.wait_idle(1h).failures.empty());
}

TEST(Join, that_times_out_says_so_and_changes_nothing) {
  std::latch started(2);
  std::latch go(1);
  ThreadGroup group("g", {.max_concurrent_threads = 2});
  group.post([] { throw std::runtime_error("kept"); });
  static_cast<void>(group.add_task([] {}).wait());
  const auto blocks = [&] {
    started.count_down();
    go.wait();
  };
  group.add_task(TaskName{"a"}, blocks);
  group.add_task(TaskName{"b"}, blocks);
  group.post([] {});
  started.wait();

  const TimePoint until = runtime::after(5ms);
  for (const JoinResult& result : {group.join(5ms), group.wait_idle(0s), group.join(-1h)}) {
    EXPECT_FALSE(result);
    EXPECT_TRUE(result.timed_out);
    EXPECT_EQ(result.pending, 1u);
    ASSERT_EQ(result.running.size(), 2u);
    EXPECT_EQ(result.running[0].name.size() + result.running[1].name.size(), 2u);
    EXPECT_TRUE(result.failures.empty());
  }
  EXPECT_GE(runtime::now(), until);
  EXPECT_FALSE(group.event_is_set());
  EXPECT_EQ(group.path(), "MainThread/g");

  go.count_down();  // a later join works, and has the failure
  EXPECT_THROW(static_cast<void>(group.join(std::chrono::hours::max())), std::runtime_error);
  EXPECT_EQ(group.statistics().succeeded, 4u);
}

TEST(Join, any_number_of_threads_may_join_and_each_failure_is_delivered_once) {
  for (int round = 0; round < 30; ++round) {
    std::latch go(1);
    ThreadGroup group;
    for (int i = 0; i < 3; ++i) {
      group.post([&] {
        go.wait();
        throw std::runtime_error("x");
      });
    }
    std::atomic<std::size_t> delivered{0};
    std::vector<std::thread> joiners;
    for (int i = 0; i < 4; ++i) {
      joiners.emplace_back([&, i] {
        if (i == 0) {
          delivered += group.wait_idle().failures.size();
          return;
        }
        try {
          static_cast<void>(group.join());
        } catch (const TaskFailures& e) {
          delivered += e.failures().size();
        } catch (const std::runtime_error&) {
          ++delivered;
        }
      });
    }
    go.count_down();
    for (auto& joiner : joiners) joiner.join();
    EXPECT_EQ(delivered, 3u);
  }
}

TEST(Join, from_a_task_of_the_group_itself_names_the_path_instead_of_hanging) {
  ThreadGroup group("g");
  const auto task = group.add_task(TaskName{"t"}, [&] {
    try {
      static_cast<void>(group.join());
      return std::string("no error");
    } catch (const std::system_error& e) {
      return std::string(e.code() == std::errc::resource_deadlock_would_occur ? e.what() : "another code");
    }
  });
  const std::string what = task.get();
  EXPECT_NE(what.find("MainThread/g"), std::string::npos) << what;
  EXPECT_NE(what.find("'t'"), std::string::npos) << what;
}

TEST(Join, from_a_task_of_a_descendant_names_the_path_instead_of_hanging) {
  ThreadGroup top("top");
  const auto outer = top.add_task([&] {
    ThreadGroup inner("inner");
    return inner
        .add_task([&] {
          std::string said;
          const auto try_it = [&](auto wait) {
            try {
              wait();
              said += "no error";
            } catch (const std::system_error& e) {
              EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur);
              said = e.what();
            }
          };
          try_it([&] { static_cast<void>(top.wait_idle()); });
          try_it([&] { static_cast<void>(top.join(1h)); });
          return said;
        })
        .get();
  });
  const std::string what = outer.get();
  EXPECT_NE(what.find("MainThread/top/inner"), std::string::npos) << what;
}

TEST(Join, of_a_childs_group_in_a_task_waits_for_the_child_even_after_the_event) {
  ThreadGroup top("top");
  std::latch running(1);
  std::latch go(1);
  const auto outer = top.add_task([&] {
    ThreadGroup inner("inner");
    inner.post([&] {
      running.count_down();
      go.wait();
    });
    running.wait();
    thread_utils::set_event("stop");
    go.count_down();
    return static_cast<bool>(inner.join()) && inner.statistics().succeeded == 1;
  });
  EXPECT_TRUE(outer.get());
}

TEST(Join, of_a_group_elsewhere_ends_when_the_callers_event_is_set) {
  std::latch go(1);
  std::latch started(1);
  ThreadGroup other("other");
  other.post([&] { go.wait(); });
  ThreadGroup group("g");
  const auto task = group.add_task([&] {
    started.count_down();
    return other.join();
  });
  started.wait();
  group.set_event();
  // Set before the task began, it would have been skipped; it has begun.
  const JoinResult result = task.get();
  EXPECT_FALSE(result);
  EXPECT_TRUE(result.event_set);
  EXPECT_FALSE(result.timed_out);
  go.count_down();
}

TEST(Join, post_failures_reach_it) {
  ThreadGroup group;
  for (int i = 0; i < 3; ++i) group.post([] { throw std::runtime_error("x"); });
  EXPECT_THROW(static_cast<void>(group.join()), TaskFailures);
}

}  // namespace
}  // namespace join_test
}  // namespace tg
