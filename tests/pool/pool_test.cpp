// SPDX-License-Identifier: Apache-2.0
// The pool: order, bound, counts, and that each task ends exactly once.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "event/wait.hpp"

#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"
#include "support/pools.hpp"

namespace tg::inline v0::detail {
namespace pool_test {
namespace {

using test::eventually;
using test::LinkedPool;
using test::ProbeTask;

TEST(Pool, makes_no_thread_before_work_arrives) {
  const LinkedPool pool(4);
  EXPECT_EQ(pool->statistics().threads, 0u);
  EXPECT_TRUE(pool->idle());
}

TEST(Pool, runs_each_task_once_and_releases_it) {
  std::deque<ProbeTask> tasks(100);
  {
    const LinkedPool pool(3);
    for (auto& task : tasks) pool->add(task);
  }
  for (auto& task : tasks) {
    EXPECT_EQ(task.runs, 1);
    EXPECT_EQ(task.ends(), 1);
    EXPECT_EQ(task.releases, 1);
  }
}

TEST(Pool, tasks_start_in_the_order_in_which_one_thread_added_them) {
  std::vector<int> order;
  std::deque<ProbeTask> tasks;
  {
    const LinkedPool pool(1);
    for (int i = 0; i < 200; ++i) {
      tasks.emplace_back([&order, i] { order.push_back(i); });
      pool->add(tasks.back());
    }
  }
  ASSERT_EQ(order.size(), 200u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Pool, numbers_its_tasks_from_one) {
  ProbeTask a, b;
  LinkedPool pool(1);
  pool->add(a);
  pool->add(b);
  EXPECT_EQ(a.number(), 1u);
  EXPECT_EQ(b.number(), 2u);
}

TEST(Pool, uses_all_its_places_and_never_more) {
  constexpr std::size_t kBound = 4;
  std::latch all_there(kBound);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::deque<ProbeTask> tasks;
  {
    const LinkedPool pool(kBound);
    for (int i = 0; i < 200; ++i) {
      tasks.emplace_back([&, i] {
        const int now = ++inside;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        if (i < 4) all_there.arrive_and_wait();  // hangs unless four run at the same time
        std::this_thread::yield();
        --inside;
      });
      pool->add(tasks.back());
      EXPECT_LE(pool->statistics().threads, kBound);
    }
  }
  EXPECT_EQ(most, 4);
}

TEST(Pool, starts_no_more_threads_than_there_is_work_for) {
  std::latch go(1);
  ProbeTask task([&] { go.wait(); });
  LinkedPool pool(32);
  pool->add(task);
  eventually([&] { return pool->statistics().running == 1; });
  EXPECT_EQ(pool->statistics().threads, 1u);
  go.count_down();
  pool.wait();
  eventually([&] { return pool->statistics().threads == 0; });  // and gives them back
}

TEST(Pool, counts_say_what_is_pending_running_and_done) {
  std::latch go(1);
  ProbeTask a([&] { go.wait(); });
  ProbeTask b([] { throw std::runtime_error("b"); });
  ProbeTask c;
  LinkedPool pool(1);
  for (ProbeTask* task : {&a, &b, &c}) pool->add(*task);
  eventually([&] { return pool->statistics().running == 1; });
  EXPECT_EQ(pool->statistics().pending, 2u);
  EXPECT_EQ(pool->statistics().total(), 3u);
  EXPECT_FALSE(pool->idle());
  go.count_down();
  pool.wait();
  const GroupStatistics counts = pool->statistics();
  EXPECT_EQ(counts.succeeded, 2u);
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_TRUE(counts.idle());
}

TEST(Pool, names_the_running_tasks) {
  std::latch go(1);
  ProbeTask named([&] { go.wait(); }, "fetch");
  ProbeTask unnamed([&] { go.wait(); });
  LinkedPool pool(2);
  pool->add(named);
  pool->add(unnamed);
  eventually([&] { return pool->statistics().running == 2; });
  std::vector<std::string> names;
  for (const RunningTask& task : pool->running_tasks(runtime::coarse_now())) {
    names.push_back(task.name);
    EXPECT_GE(task.running_for, Duration());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"fetch", "task 2"}));
  go.count_down();
  pool.wait();
  EXPECT_TRUE(pool->running_tasks(runtime::coarse_now()).empty());
}

TEST(Pool, pending_tasks_are_skipped_when_the_event_is_set_and_running_ones_go_on) {
  std::latch started(1);
  std::latch go(1);
  ProbeTask running([&] {
    started.count_down();
    go.wait();
  });
  std::deque<ProbeTask> pending(5);
  LinkedPool pool(1);
  pool->add(running);
  for (auto& task : pending) pool->add(task);
  started.wait();
  pool.set_event();
  for (auto& task : pending) {
    EXPECT_EQ(task.skips, 1);
    EXPECT_EQ(task.releases, 1);
  }
  EXPECT_EQ(pool->statistics().skipped, 5u);
  EXPECT_EQ(pool->statistics().running, 1u);
  go.count_down();
  pool.wait();
  EXPECT_EQ(pool->statistics().succeeded, 1u);
}

TEST(Pool, task_added_after_the_event_is_skipped_at_once) {
  ProbeTask task;
  LinkedPool pool(1);
  pool.set_event();
  pool->add(task);
  EXPECT_EQ(task.skips, 1);
  EXPECT_EQ(task.runs, 0);
  EXPECT_EQ(pool->statistics().skipped, 1u);
  EXPECT_EQ(pool->statistics().threads, 0u);
}

TEST(Pool, no_task_is_lost_while_the_last_worker_leaves) {
  // With a single task at a time, each add meets a worker that is just about to go.
  LinkedPool pool(1);
  std::deque<ProbeTask> tasks(5'000);
  for (auto& task : tasks) {
    pool->add(task);
    while (task.releases == 0) std::this_thread::yield();
  }
  pool.wait();
  EXPECT_EQ(pool->statistics().succeeded, 5'000u);
}

TEST(Pool, adds_from_many_threads_while_the_event_is_set_end_each_task_once) {
  for (int round = 0; round < 30; ++round) {
    std::deque<ProbeTask> tasks(120);
    {
      LinkedPool pool(2);
      std::latch start(4);
      std::vector<std::thread> adders;
      for (std::size_t adder = 0; adder < 3; ++adder) {
        adders.emplace_back([&, adder] {
          start.arrive_and_wait();
          for (std::size_t i = adder; i < tasks.size(); i += 3) pool->add(tasks[i]);
        });
      }
      start.arrive_and_wait();
      pool.set_event();
      for (auto& adder : adders) adder.join();
      pool.wait();
      EXPECT_EQ(pool->statistics().done(), tasks.size());
    }
    for (auto& task : tasks) {
      ASSERT_EQ(task.ends(), 1);
      ASSERT_EQ(task.releases, 1);
    }
  }
}

TEST(Pool, failures_come_in_their_order_and_once) {
  ProbeTask a([] { throw std::runtime_error("a"); }, "first");
  ProbeTask b([] { throw 2; });
  LinkedPool pool(1);
  pool->add(a);
  pool->add(b);
  pool.wait();
  EXPECT_EQ(a.releases, 0);  // kept for the call that takes it
  const auto failures = pool->take_failures();
  ASSERT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures[0].task, "first");
  EXPECT_EQ(failures[1].task, "task 2");
  EXPECT_EQ(describe_exception(failures[1].exception), "an exception of type int");
  EXPECT_TRUE(pool->take_failures().empty());
  EXPECT_EQ(a.releases, 1);
  EXPECT_EQ(b.releases, 1);
}

TEST(Pool, failure_that_a_caller_took_is_not_reported_again) {
  ProbeTask a([] { throw std::runtime_error("a"); });
  ProbeTask b([] { throw std::runtime_error("b"); });
  LinkedPool pool(1);
  pool->add(a);
  pool.wait();
  EXPECT_TRUE(a.claim_failure());
  pool->add(b);
  pool.wait();
  const auto failures = pool->take_failures();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].task, "task 2");
  eventually([&] { return a.releases == 1; });
}

TEST(Pool, first_failure_sets_the_event_where_the_group_asked_for_it) {
  ProbeTask bad([] { throw std::runtime_error("disk full"); }, "writer");
  ProbeTask next;
  LinkedPool pool(1, OnFailure::set_event);
  std::latch go(1);
  ProbeTask first([&] { go.wait(); });
  pool->add(first);
  pool->add(bad);
  pool->add(next);
  go.count_down();
  pool.wait();
  const ReasonPointer reason = pool.node().event().reason();
  ASSERT_TRUE(reason);
  EXPECT_EQ(reason->kind, ReasonKind::failure);
  EXPECT_EQ(reason->task, "writer");
  EXPECT_EQ(reason->message, "disk full");
  EXPECT_THROW(std::rethrow_exception(reason->exception), std::runtime_error);
  EXPECT_EQ(next.skips, 1);
}

TEST(Pool, change_waiters_hear_of_each_end_and_each_notify) {
  LinkedPool pool(1);
  ProbeTask task;
  const auto before = pool->changes();
  pool->notify();
  EXPECT_EQ(pool->changes(), before + 1);
  std::atomic<std::uint64_t> seen{before + 1};
  std::thread watcher([&] {
    EXPECT_EQ(wait(
                  pool->change_waiters(), [&] { return pool->changes() != seen; }, {}, TimePoint::never()),
              WaitOutcome::ready);
  });
  eventually([&] { return !pool->change_waiters().empty(); });
  pool->add(task);
  watcher.join();
  pool.wait();
  EXPECT_EQ(pool->changes(), before + 2);
}

TEST(Pool, outlives_a_group_that_released_it_while_a_task_ran) {
  auto* const node = new test::PoolNode("gone", 1, OnFailure::keep_going);
  Forest::instance().link(*node);
  std::latch started(1);
  std::latch go(1);
  ProbeTask task([&] {
    started.count_down();
    go.wait();
  });
  node->pool.add(task);
  started.wait();
  node->release();  // the worker holds the last reference
  EXPECT_NE(Forest::instance().snapshot().find("gone"), nullptr);
  go.count_down();
  eventually([&] { return Forest::instance().snapshot().find("gone") == nullptr; });
  EXPECT_EQ(task.ends(), 1);
}

}  // namespace
}  // namespace pool_test
}  // namespace tg::inline v0::detail
