// SPDX-License-Identifier: Apache-2.0
// The cache of threads: reuse, limits, idle time, and what happens when there are no threads to be had.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <semaphore>
#include <system_error>
#include <thread>
#include <vector>

#include "runtime/faults.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"

#include "support/eventually.hpp"
#include "support/thread_cache.hpp"

namespace tg::inline v0::runtime {
namespace threads_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

// A job from a lambda that outlives the job.
template <class F>
Job job_of(F& f) {
  return Job{[](void* raw) noexcept { (*static_cast<F*>(raw))(); }, &f};
}

class ThreadCacheTest : public test::EmptyThreadCache {
 protected:
  // Runs one job and waits until its thread is idle again, or gone.
  void run_one() {
    std::binary_semaphore done(0);
    auto work = [&] { done.release(); };
    cache.start(job_of(work));
    done.acquire();
    settle();
  }
};

TEST_F(ThreadCacheTest, runs_a_job_on_another_thread) {
  Flow* flow = nullptr;
  std::binary_semaphore done(0);
  auto work = [&] {
    flow = &Flow::current();
    done.release();
  };
  cache.start(job_of(work));
  done.acquire();
  EXPECT_NE(flow, nullptr);
  EXPECT_NE(flow, &Flow::current());
  settle();
}

TEST_F(ThreadCacheTest, reuses_an_idle_thread) {
  run_one();
  const auto created = cache.statistics().created;
  for (int i = 0; i < 100; ++i) run_one();
  EXPECT_EQ(cache.statistics().created, created);
  EXPECT_EQ(cache.statistics().threads, 1u);
  EXPECT_EQ(cache.statistics().idle, 1u);
}

TEST_F(ThreadCacheTest, makes_a_thread_for_each_job_that_runs_at_the_same_time) {
  constexpr int kJobs = 5;
  std::latch all_there(kJobs + 1);
  std::latch go(1);
  auto work = [&] {
    all_there.count_down();
    go.wait();
  };
  for (int i = 0; i < kJobs; ++i) cache.start(job_of(work));
  all_there.arrive_and_wait();
  EXPECT_EQ(cache.statistics().threads, 5u);
  EXPECT_EQ(cache.statistics().idle, 0u);
  go.count_down();
  settle();
  EXPECT_EQ(cache.statistics().idle, 5u);
}

TEST_F(ThreadCacheTest, keeps_no_more_idle_threads_than_the_limit) {
  cache.set_limits(2, ThreadCache::kDefaultIdleTime);
  constexpr int kJobs = 6;
  std::latch all_there(kJobs);
  auto work = [&] { all_there.arrive_and_wait(); };
  for (int i = 0; i < kJobs; ++i) cache.start(job_of(work));
  all_there.wait();
  eventually([&] { return cache.statistics().threads == 2; });
  settle();
  EXPECT_EQ(cache.statistics().idle, 2u);
}

TEST_F(ThreadCacheTest, ends_surplus_threads_when_the_limit_is_lowered) {
  std::latch all_there(3);
  auto work = [&] { all_there.arrive_and_wait(); };
  for (int i = 0; i < 3; ++i) cache.start(job_of(work));
  settle();
  ASSERT_EQ(cache.statistics().idle, 3u);
  cache.set_limits(1, ThreadCache::kDefaultIdleTime);
  eventually([&] { return cache.statistics().threads == 1; });
  cache.set_limits(0, ThreadCache::kDefaultIdleTime);
  eventually([&] { return cache.statistics().threads == 0; });
  const auto created = cache.statistics().created;
  run_one();
  run_one();
  EXPECT_EQ(cache.statistics().created, created + 2);  // nothing is kept
}

TEST_F(ThreadCacheTest, a_thread_ends_when_it_was_idle_for_long_enough) {
  cache.set_limits(8, 1ms);
  run_one();
  eventually([&] { return cache.statistics().threads == 0; });
  const auto created = cache.statistics().created;
  run_one();
  EXPECT_EQ(cache.statistics().created, created + 1);
}

TEST_F(ThreadCacheTest, a_job_may_start_a_job) {
  std::binary_semaphore done(0);
  auto inner = [&] { done.release(); };
  auto outer = [&] { cache.start(job_of(inner)); };
  cache.start(job_of(outer));
  done.acquire();
  settle();
}

TEST_F(ThreadCacheTest, says_so_when_no_thread_can_be_made) {
  const auto before = cache.statistics();
  faults::refuse_threads(1);
  std::atomic<int> runs{0};
  auto work = [&] { ++runs; };
  try {
    cache.start(job_of(work));
    FAIL() << "no error";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::resource_unavailable_try_again);
  }
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(cache.statistics().created, before.created);
  EXPECT_EQ(cache.statistics().threads, before.threads);
  run_one();  // and the next one is fine
  EXPECT_EQ(cache.statistics().created, before.created + 1);
}

TEST_F(ThreadCacheTest, needs_no_new_thread_while_one_is_idle) {
  run_one();
  faults::refuse_threads(1);
  run_one();  // takes the idle one: there is nothing that could fail
  std::latch go(1);
  auto blocks = [&] { go.wait(); };
  cache.start(job_of(blocks));
  EXPECT_THROW(cache.start(job_of(blocks)), std::system_error);
  go.count_down();
  settle();
}

TEST_F(ThreadCacheTest, retiring_ends_the_idle_ones_and_a_later_start_works) {
  run_one();
  cache.retire_idle_threads(TimePoint::never());
  EXPECT_EQ(cache.statistics().threads, 0u);
  run_one();
  EXPECT_EQ(cache.statistics().threads, 1u);
}

TEST_F(ThreadCacheTest, retiring_does_not_wait_for_jobs) {
  std::binary_semaphore running(0);
  std::latch go(1);
  auto work = [&] {
    running.release();
    go.wait();
  };
  cache.start(job_of(work));
  running.acquire();
  cache.retire_idle_threads(TimePoint::never());  // would hang
  EXPECT_EQ(cache.statistics().threads, 1u);
  go.count_down();
  settle();
}

TEST_F(ThreadCacheTest, many_starts_from_many_threads_each_run_once) {
  constexpr int kStarters = 4;
  constexpr int kEach = 200;
  std::atomic<int> runs{0};
  auto work = [&] { ++runs; };
  std::vector<std::thread> starters;
  for (int i = 0; i < kStarters; ++i) {
    starters.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) cache.start(job_of(work));
    });
  }
  for (auto& starter : starters) starter.join();
  eventually([&] { return runs == kStarters * kEach; });
  settle();
  EXPECT_EQ(runs, kStarters * kEach);
}

}  // namespace
}  // namespace threads_test
}  // namespace tg::inline v0::runtime
