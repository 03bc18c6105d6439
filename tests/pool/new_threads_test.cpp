// SPDX-License-Identifier: Apache-2.0
// Where threads have to be made: as many as the tasks and the bound ask for, and a few at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <latch>

#include "runtime/faults.hpp"
#include "runtime/threads.hpp"

#include "support/eventually.hpp"
#include "support/pools.hpp"

namespace tg::inline v0::detail {
namespace new_threads_test {
namespace {

using test::eventually;
using test::LinkedPool;
using test::ProbeTask;

class NewThreads : public testing::Test {
 protected:
  // From here on each worker needs a new thread.
  void SetUp() override {
    cache.set_limits(0, runtime::ThreadCache::kDefaultIdleTime);
    forget();
  }
  void TearDown() override {
    runtime::faults::refuse_threads(0);
    cache.set_limits(runtime::ThreadCache::kDefaultMaxIdle, runtime::ThreadCache::kDefaultIdleTime);
  }
  void forget() {
    eventually([&] { return cache.statistics().threads == 0; });
    before_ = cache.statistics().created;
  }
  std::uint64_t made() const { return cache.statistics().created - before_; }

  runtime::ThreadCache& cache = runtime::ThreadCache::instance();

 private:
  std::uint64_t before_ = 0;
};

TEST_F(NewThreads, are_as_many_as_the_tasks_and_the_bound_ask_for) {
  for (const std::size_t bound : {1U, 3U, 32U}) {
    for (const std::size_t tasks : {1U, 2U, 4U, 5U, 6U, 11U}) {
      forget();
      const std::size_t together = std::min(bound, tasks);
      std::latch running(static_cast<std::ptrdiff_t>(together));
      std::latch go(1);
      std::atomic<std::size_t> begun{0};
      LinkedPool pool(bound);
      std::deque<ProbeTask> all;
      for (std::size_t i = 0; i < tasks; ++i) {
        all.emplace_back([&] {
          if (begun.fetch_add(1) < together) running.count_down();
          go.wait();
        });
        pool->add(all.back());
      }
      running.wait();  // each has a thread of its own
      EXPECT_EQ(made(), together) << bound << ", " << tasks;
      go.count_down();
      pool.wait();
    }
  }
}

TEST_F(NewThreads, are_as_many_where_a_task_adds_the_others) {
  for (const std::size_t others : {1U, 2U, 5U}) {
    forget();
    std::latch running(static_cast<std::ptrdiff_t>(others));
    std::latch go(1);
    std::deque<ProbeTask> added;
    LinkedPool pool(32);
    ProbeTask adds([&] {
      for (std::size_t i = 0; i < others; ++i) {
        added.emplace_back([&] {
          running.count_down();
          go.wait();
        });
        pool->add(added.back());
      }
      running.wait();  // blocked, so that others must take what it added
    });
    pool->add(adds);
    running.wait();
    EXPECT_EQ(made(), others + 1);
    go.count_down();
    pool.wait();
  }
}

TEST_F(NewThreads, are_made_a_few_at_a_time) {
  std::latch go(1);
  std::uint64_t seen = 0;
  std::deque<ProbeTask> others;
  ProbeTask blocks([&] { go.wait(); });
  ProbeTask looks([&] {
    seen = made();
    go.count_down();
  });
  LinkedPool pool(32);
  pool->add(blocks);
  eventually([&] { return blocks.runs == 1; });
  // They stay in the queue until the next worker comes to them all.
  runtime::faults::refuse_threads(1'000'000);
  pool->add(looks);
  for (int i = 0; i < 10; ++i) {
    others.emplace_back([&] { go.wait(); });
    pool->add(others.back());
  }
  runtime::faults::refuse_threads(0);
  pool.wait();
  EXPECT_GE(seen, 6U);  // two workers', and four that the second one made before it ran the task
}

}  // namespace
}  // namespace new_threads_test
}  // namespace tg::inline v0::detail
