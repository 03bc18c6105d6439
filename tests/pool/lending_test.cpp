// SPDX-License-Identifier: Apache-2.0
// Slots that are lent while their task waits, and taken back.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <latch>
#include <thread>

#include "support/eventually.hpp"
#include "support/pools.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {
namespace lending_test {
namespace {

using test::eventually;
using test::LinkedPool;
using test::ProbeTask;

SlotLent lend() { return SlotLent(TaskContext::current()); }

TEST(Lending, lets_another_task_of_the_group_run) {
  LinkedPool pool(1);
  ProbeTask other;
  ProbeTask waits([&] {
    const SlotLent lent = lend();
    eventually([&] { return other.ends() == 1; });
  });
  pool->add(waits);
  pool->add(other);
  pool.wait();
  EXPECT_EQ(other.runs, 1);
}

TEST(Lending, also_one_that_comes_while_the_place_is_lent) {
  LinkedPool pool(1);
  std::latch lent_now(1);
  ProbeTask other;
  ProbeTask waits([&] {
    const SlotLent lent = lend();
    lent_now.count_down();
    eventually([&] { return other.ends() == 1; });
  });
  pool->add(waits);
  lent_now.wait();
  pool->add(other);
  pool.wait();
}

TEST(Lending, goes_as_deep_as_there_are_tasks) {
  // Each task waits for the next one, with one slot for all.
  LinkedPool pool(1);
  std::deque<ProbeTask> tasks;
  constexpr std::size_t kDepth = 20;
  for (std::size_t i = 0; i < kDepth; ++i) {
    tasks.emplace_back([&, i] {
      if (i + 1 == kDepth) return;
      const SlotLent lent = lend();
      eventually([&] { return tasks[i + 1].ends() == 1 && tasks[i + 1].releases == 1; });
    });
  }
  for (auto& task : tasks) pool->add(task);
  pool.wait();
  EXPECT_EQ(pool->statistics().succeeded, kDepth);
}

TEST(Lending, a_place_taken_back_counts_again) {
  // While one waits for its slot the other one works: never two at a time.
  LinkedPool pool(1);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const auto work = [&] {
    if (++inside > 1) most = 2;
    std::this_thread::yield();
    --inside;
  };
  std::deque<ProbeTask> tasks;
  for (int i = 0; i < 200; ++i) {
    tasks.emplace_back([&] {
      work();
      {
        const SlotLent lent = lend();
        std::this_thread::yield();
      }
      work();
    });
  }
  for (auto& task : tasks) pool->add(task);
  pool.wait();
  EXPECT_EQ(most, 0);
  EXPECT_EQ(pool->statistics().succeeded, 200u);
}

TEST(Lending, a_wait_inside_a_wait_lends_nothing_more) {
  LinkedPool pool(1);
  ProbeTask other;
  ProbeTask third;
  std::latch go(1);
  ProbeTask blocks([&] { go.wait(); });
  ProbeTask waits([&] {
    const SlotLent lent = lend();
    {
      const SlotLent again = lend();
      pool->add(other);
      eventually([&] { return other.releases == 1; });
    }
    pool->add(blocks);
    pool->add(third);
    eventually([&] { return blocks.runs == 1; });
    EXPECT_EQ(pool->statistics().running, 2u);  // this one, which waits, and the one on its slot
    EXPECT_EQ(third.ends(), 0);
    go.count_down();
    eventually([&] { return third.ends() == 1; });
  });
  pool->add(waits);
  pool.wait();
  EXPECT_EQ(pool->statistics().succeeded, 4u);
}

TEST(Lending, after_the_event_the_lender_goes_on_though_no_place_is_free) {
  LinkedPool pool(1);
  std::latch lent_now(1);
  std::latch told(1);
  std::latch back(1);
  ProbeTask lender([&] {
    {
      const SlotLent lent = lend();
      lent_now.count_down();
      told.wait();
    }
    back.count_down();
  });
  ProbeTask borrower([&] { back.wait(); });  // keeps the only slot until the lender is back: two at once
  pool->add(lender);
  lent_now.wait();
  pool->add(borrower);
  eventually([&] { return borrower.runs == 1; });
  told.count_down();
  for (int i = 0; i < 100; ++i) std::this_thread::yield();  // perhaps it is parked by now; right either way
  pool.set_event();
  pool.wait();
  EXPECT_EQ(pool->statistics().succeeded, 2u);
}

TEST(Lending, nothing_is_lent_outside_of_tasks) {
  const SlotLent none(nullptr);
  SUCCEED();
}

}  // namespace
}  // namespace lending_test
}  // namespace tg::inline v0::detail
