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
namespace run_now_test {
namespace {

TEST(RunNow, the_next_in_line_runs_on_the_thread_that_waits_for_it) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  const auto same = group.add_task([&] {
    const auto inner = group.add_task([] { return std::this_thread::get_id(); });
    return inner.get() == std::this_thread::get_id();
  });
  EXPECT_TRUE(same.get());
}

TEST(RunNow, a_task_that_another_waits_for_starts_before_earlier_ones_and_these_keep_their_order) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::vector<int> order;  // one slot: no two of them write at the same time
  group
      .add_task([&] {
        group.post([&] { order.push_back(1); });
        group.post([&] { order.push_back(2); });
        const auto wanted = group.add_task([&] { order.push_back(3); });
        group.post([&] { order.push_back(4); });
        wanted.get();
        order.push_back(0);
      })
      .get();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(order, (std::vector<int>{3, 0, 1, 2, 4}));
}

TEST(RunNow, both_tasks_on_the_stack_are_running) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
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
  std::latch there(1);
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  TaskHandle<bool> outer;
  const auto inner = [&] {
    try {
      static_cast<void>(outer.wait());
      return false;
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
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  std::function<int(int)> descend = [&](int depth) -> int {
    return depth == 0 ? 0 : 1 + group.add_task([&, depth] { return descend(depth - 1); }).get();
  };
  EXPECT_EQ(group.add_task([&] { return descend(500); }).get(), 500);
}

// The same for tasks that others than the waiter added: they are in the lists that all workers share.
TEST(RunNow, also_where_another_thread_added_the_task) {
  std::latch added(1);
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::vector<int> order;
  TaskHandle<std::thread::id> wanted;
  const auto waits = group.add_task([&] {
    added.wait();
    const bool here = wanted.get() == std::this_thread::get_id();
    order.push_back(0);
    return here;
  });
  std::vector<TaskHandle<void>> before;
  for (int i = 1; i < 4; ++i) before.push_back(group.add_task([&order, i] { order.push_back(i); }));
  wanted = group.add_task([] { return std::this_thread::get_id(); });
  for (int i = 4; i < 7; ++i) group.post([&order, i] { order.push_back(i); });
  added.count_down();
  EXPECT_TRUE(waits.get());
  EXPECT_TRUE(group.join());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(group.statistics().succeeded, 8u);
}

TEST(RunNow, a_task_can_be_taken_from_the_queue_of_another_worker) {
  std::latch added(1);
  std::latch both(2);
  std::latch over(1);
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  TaskHandle<std::thread::id> wanted;
  // Its worker is blocked, with what it added in its own queue.
  group.post([&] {
    both.arrive_and_wait();  // now there is no third worker that could come
    group.post([] {});
    wanted = group.add_task([] { return std::this_thread::get_id(); });
    group.post([] {});
    added.count_down();
    over.wait();
  });
  const auto waits = group.add_task([&] {
    both.arrive_and_wait();
    added.wait();
    return wanted.get() == std::this_thread::get_id();
  });
  EXPECT_TRUE(waits.get());
  over.count_down();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, 5u);
}

TEST(RunNow, each_task_of_a_queue_can_be_taken_in_any_order) {
  for (const std::size_t step : {1U, 3U, 7U, 10U}) {
    ThreadGroup group("one slot", {.max_concurrent_threads = 1});
    constexpr std::size_t kTasks = 11;  // a prime: each step visits all
    const auto here = group.add_task([&] {
      std::vector<TaskHandle<std::thread::id>> tasks;
      for (std::size_t i = 0; i < kTasks; ++i) {
        tasks.push_back(group.add_task([] { return std::this_thread::get_id(); }));
        if (i % 2 == 0) group.post([] {});
      }
      bool all_here = true;
      for (std::size_t i = 0, at = 5; i < kTasks; ++i, at = (at + step) % kTasks)
        all_here = tasks[at].get() == std::this_thread::get_id() && all_here;
      return all_here;
    });
    EXPECT_TRUE(here.get());
    EXPECT_TRUE(group.join());
    EXPECT_EQ(group.statistics().succeeded, 1 + kTasks + (kTasks + 1) / 2);
  }
}

TEST(RunNow, tasks_that_were_cleared_are_not_run) {
  std::atomic<int> ran{0};
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  const auto outer = group.add_task([&] {
    const auto first = group.add_task([&] { ++ran; });
    const auto second = group.add_task([&] { ++ran; });
    EXPECT_EQ(group.clear_pending(), 2u);
    const auto third = group.add_task([&] { return ++ran; });
    EXPECT_THROW(second.get(), TaskSkipped);
    EXPECT_THROW(first.get(), TaskSkipped);
    return third.get();
  });
  EXPECT_EQ(outer.get(), 1);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().skipped, 2u);
}

// Each task adds two and waits for both: no thread has to be made for a task that waits.
TEST(RunNow, trees_of_tasks_need_no_thread_beyond_the_bound) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  const std::function<int(int)> fib = [&](int n) -> int {
    if (n < 2) return n;
    const auto first = group.add_task([&, n] { return fib(n - 1); });
    const auto second = group.add_task([&, n] { return fib(n - 2); });
    EXPECT_EQ(group.statistics().threads, 1u);
    return first.get() + second.get();
  };
  EXPECT_EQ(group.add_task([&] { return fib(12); }).get(), 144);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().pending, 0u);
  EXPECT_EQ(group.statistics().succeeded, 1u + 464u);
}

TEST(RunNow, a_task_outlives_the_failure_of_one_that_it_ran) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  const auto outer = group.add_task([&] {
    const auto inner = group.add_task([]() -> int { throw std::runtime_error("inner"); });
    EXPECT_THROW(inner.get(), std::runtime_error);
    return thread_utils::current_path() == group.path();
  });
  EXPECT_TRUE(outer.get());
  EXPECT_TRUE(group.join());  // the failure was seen
}

TEST(RunNow, with_a_time_out_the_task_is_left_to_others) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  const auto elsewhere = group.add_task([&] {
    const auto inner = group.add_task([] { return std::this_thread::get_id(); });
    EXPECT_EQ(inner.wait(std::chrono::hours(1)), WaitOutcome::ready);
    return inner.get() != std::this_thread::get_id();
  });
  EXPECT_TRUE(elsewhere.get());
}

}  // namespace
}  // namespace run_now_test
}  // namespace tg
