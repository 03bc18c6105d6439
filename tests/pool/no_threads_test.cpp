// SPDX-License-Identifier: Apache-2.0
// When no thread can be made: nothing is lost, nothing hangs, and the counts add up.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <latch>
#include <system_error>
#include <thread>

#include "runtime/faults.hpp"
#include "runtime/threads.hpp"

#include "support/eventually.hpp"
#include "support/pools.hpp"
#include "support/thread_cache.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {
namespace no_threads_test {
namespace {

using test::eventually;
using test::LinkedPool;
using test::ProbeTask;

class NoThreads : public test::NoIdleThreads {};

TEST_F(NoThreads, add_throws_and_takes_nothing_when_there_is_no_worker_at_all) {
  LinkedPool pool(2);
  ProbeTask task;
  runtime::faults::refuse_threads(1);
  EXPECT_THROW(pool->add(task), std::system_error);
  EXPECT_EQ(task.ends(), 0);
  EXPECT_EQ(task.releases, 0);
  EXPECT_TRUE(pool->statistics().idle());
  EXPECT_EQ(pool->statistics().total(), 0u);
  EXPECT_EQ(pool->statistics().threads, 0u);
  pool->add(task);  // and next time it works
  pool.wait();
  EXPECT_EQ(task.runs, 1);
}

TEST_F(NoThreads, task_waits_for_a_worker_that_exists) {
  LinkedPool pool(2);
  std::latch go(1);
  ProbeTask busy([&] { go.wait(); });
  ProbeTask waits;
  pool->add(busy);
  eventually([&] { return busy.runs == 1; });
  runtime::faults::refuse_threads(1'000);
  pool->add(waits);  // no second worker, no error
  EXPECT_EQ(pool->statistics().pending, 1u);
  EXPECT_EQ(pool->statistics().threads, 1u);
  go.count_down();
  pool.wait();
  EXPECT_EQ(waits.runs, 1);
}

TEST_F(NoThreads, while_a_place_is_lent_the_queue_waits_for_the_lender) {
  LinkedPool pool(1);
  ProbeTask other;
  std::latch both_added(1);
  ProbeTask waits([&] {
    both_added.wait();
    runtime::faults::refuse_threads(1'000'000);
    const SlotLent lent(TaskContext::current());
    EXPECT_EQ(other.ends(), 0);
    EXPECT_EQ(pool->statistics().threads, 1u);
    EXPECT_EQ(pool->statistics().threads_wanted, 2u);
  });
  pool->add(waits);
  pool->add(other);
  both_added.count_down();
  pool.wait();
  EXPECT_EQ(other.runs, 1);
  EXPECT_TRUE(pool->take_failures().empty());
  EXPECT_EQ(pool->statistics().succeeded, 2u);
}

TEST_F(NoThreads, lender_that_waits_for_the_queue_goes_on_when_there_is_a_thread_again) {
  LinkedPool pool(1);
  ProbeTask other;
  std::latch both_added(1);
  ProbeTask waits([&] {
    both_added.wait();
    runtime::faults::refuse_threads(3);
    const SlotLent lent(TaskContext::current());
    eventually([&] { return other.ends() == 1; });
  });
  pool->add(waits);
  pool->add(other);
  both_added.count_down();
  pool.wait();  // this thread asks the system again
  EXPECT_EQ(other.runs, 1);
}

TEST_F(NoThreads, task_added_while_the_only_place_is_lent_waits_for_a_thread) {
  LinkedPool pool(1);
  ProbeTask other;
  ProbeTask waits([&] {
    const SlotLent lent(TaskContext::current());
    runtime::faults::refuse_threads(2);
    pool->add(other);
    eventually([&] { return other.releases == 1; });
  });
  pool->add(waits);
  pool.wait();
  EXPECT_EQ(other.runs, 1);
  EXPECT_EQ(pool->statistics().succeeded, 2u);
}

TEST_F(NoThreads, worker_that_waits_for_a_thread_is_called_off_when_there_is_no_work_left) {
  LinkedPool pool(4);
  std::latch go(1);
  ProbeTask busy([&] { go.wait(); });
  std::deque<ProbeTask> others(2);
  pool->add(busy);
  eventually([&] { return busy.runs == 1; });
  runtime::faults::refuse_threads(1'000'000);
  for (ProbeTask& other : others) pool->add(other);
  EXPECT_EQ(pool->statistics().threads, 1u);
  EXPECT_EQ(pool->statistics().threads_wanted, 3u);
  go.count_down();
  eventually([&] { return pool->statistics().threads == 0; });
  EXPECT_EQ(pool->statistics().threads_wanted, 0u);
  EXPECT_FALSE(runtime::ThreadCache::instance().is_short_of_threads());
  EXPECT_EQ(pool->statistics().succeeded, 3u);
}

TEST_F(NoThreads, a_waiter_is_woken_when_the_task_it_saw_is_taken_back) {
  LinkedPool pool(1);
  std::atomic<bool> stop{false};
  std::thread joiner([&] {
    while (!stop) pool.wait();  // hangs if it sees the task and no wake-up says that it is gone
  });
  for (int round = 0; round < 3'000; ++round) {
    ProbeTask task;
    runtime::faults::refuse_threads(1);
    EXPECT_THROW(pool->add(task), std::system_error);
  }
  stop = true;
  joiner.join();
  EXPECT_EQ(pool->statistics().total(), 0u);
}

// Without turns, `waits` would begin only when the first group has nothing to do any more.
TEST_F(NoThreads, a_group_with_endless_work_gives_its_thread_to_another_that_waits_for_one) {
  LinkedPool endless(1);
  LinkedPool other(2);
  std::atomic<bool> enough{false};
  std::deque<ProbeTask> work;
  std::function<void()> again = [&] {
    if (!enough) endless->add(work.emplace_back(again));
  };
  std::latch go(1);
  ProbeTask blocked([&] { go.wait(); });
  ProbeTask waits([&] { enough = true; });
  other->add(blocked);
  eventually([&] { return blocked.runs == 1; });
  endless->add(work.emplace_back(again));
  runtime::faults::refuse_threads(1'000'000);
  other->add(waits);
  eventually([&] { return waits.runs == 1; });
  endless.wait();
  go.count_down();
  other.wait();
  EXPECT_TRUE(endless->statistics().idle());
}

TEST_F(NoThreads, counts_add_up_whichever_creations_fail) {
  for (int round = 0; round < 60; ++round) {
    LinkedPool pool(3);
    std::deque<ProbeTask> tasks(30);
    std::size_t refused = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (static_cast<int>(i) % (round % 5 + 1) == 0) runtime::faults::refuse_threads(round % 3 + 1);
      try {
        pool->add(tasks[i]);
      } catch (const std::system_error&) {
        ++refused;
        EXPECT_EQ(tasks[i].ends(), 0);
      }
    }
    pool.wait();
    EXPECT_EQ(pool->statistics().done() + refused, tasks.size());
    std::size_t ended = 0;
    for (auto& task : tasks) ended += static_cast<std::size_t>(task.ends());
    EXPECT_EQ(ended + refused, tasks.size());
  }
}

}  // namespace
}  // namespace no_threads_test
}  // namespace tg::inline v0::detail
