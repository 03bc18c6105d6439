// SPDX-License-Identifier: Apache-2.0
// A task that waits for the next one in line runs it itself.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace {

TEST(RunNow, the_next_in_line_runs_on_the_thread_that_waits_for_it) {
  ThreadGroup group("one place", {.max_concurrent_threads = 1});
  const auto same = group.add_task([&] {
    const auto inner = group.add_task([] { return std::this_thread::get_id(); });
    return inner.get() == std::this_thread::get_id();
  });
  EXPECT_TRUE(same.get());
}

TEST(RunNow, a_task_is_not_overtaken_by_a_later_one_that_somebody_waits_for) {
  ThreadGroup group("one place", {.max_concurrent_threads = 1});
  std::vector<int> order;  // one place: no two of them write at the same time
  group
      .add_task([&] {
        group.post([&] { order.push_back(1); });
        group.add_task([&] { order.push_back(2); }).wait();
        order.push_back(3);
      })
      .get();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(RunNow, both_tasks_on_the_stack_are_running) {
  ThreadGroup group("one place", {.max_concurrent_threads = 1});
  std::size_t running = 0;
  std::size_t named = 0;
  const auto look = [&] {
    ThreadGroup elsewhere("watch", {.daemon = true});
    return elsewhere.add_task([&] { return group.join(Duration()).running; }).get();
  };
  const auto inner = [&] {
    running = group.statistics().running;
    for (const RunningTask& task : look()) {
      if (task.name == "inner" || task.name == "outer") ++named;
    }
  };
  group.add_task(TaskName{"outer"}, [&] { group.add_task(TaskName{"inner"}, inner).get(); }).get();
  EXPECT_EQ(running, 2u);
  EXPECT_EQ(named, 2u);
}

TEST(RunNow, waiting_for_a_task_that_waits_for_the_caller_is_an_error) {
  ThreadGroup group("one place", {.max_concurrent_threads = 1});
  std::latch there(1);
  TaskHandle<bool> outer;
  const auto inner = [&] {
    try {
      return outer.wait();
    } catch (const std::system_error& e) {
      return e.code() == std::errc::resource_deadlock_would_occur;
    }
  };
  outer = group.add_task([&] {
    there.wait();
    return group.add_task(inner).get();
  });
  there.count_down();
  EXPECT_TRUE(outer.get());
}

TEST(RunNow, a_chain_deeper_than_a_stack_may_be_goes_on_in_threads) {
  ThreadGroup group("two places", {.max_concurrent_threads = 2});
  std::function<int(int)> descend = [&](int depth) -> int {
    return depth == 0 ? 0 : 1 + group.add_task([&, depth] { return descend(depth - 1); }).get();
  };
  EXPECT_EQ(group.add_task([&] { return descend(500); }).get(), 500);
}

TEST(RunNow, a_task_outlives_the_failure_of_one_that_it_ran) {
  ThreadGroup group("one place", {.max_concurrent_threads = 1});
  const auto outer = group.add_task([&] {
    const auto inner = group.add_task([]() -> int { throw std::runtime_error("inner"); });
    EXPECT_THROW(inner.get(), std::runtime_error);
    return thread_utils::current_path() == group.path();
  });
  EXPECT_TRUE(outer.get());
  EXPECT_TRUE(group.join());  // the failure was seen
}

TEST(RunNow, with_a_time_out_the_task_is_left_to_others) {
  ThreadGroup group("one place", {.max_concurrent_threads = 1});
  const auto elsewhere = group.add_task([&] {
    const auto inner = group.add_task([] { return std::this_thread::get_id(); });
    EXPECT_TRUE(inner.wait(std::chrono::hours(1)));
    return inner.get() != std::this_thread::get_id();
  });
  EXPECT_TRUE(elsewhere.get());
}

}  // namespace
}  // namespace tg
