// SPDX-License-Identifier: Apache-2.0
// A system that refuses to make a thread for a moment: the start is repeated, and nothing fails for it.
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <latch>
#include <semaphore>

#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "runtime/faults.hpp"
#include "runtime/threads.hpp"
#include "support/eventually.hpp"

namespace tg {
namespace thread_shortage_test {
namespace {

using namespace std::chrono_literals;
using runtime::ThreadCache;
using test::eventually;

// One task waits for the next one, without the group's knowledge. Each worker needs a new thread.
class ThreadShortage : public testing::Test {
 protected:
  void SetUp() override {
    cache.set_limits(0, ThreadCache::kDefaultIdleTime);
    eventually([&] { return cache.statistics().threads == 0; });
  }
  void TearDown() override {
    runtime::faults::refuse_threads(0);
    cache.set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
  }
  // Where a start is not repeated, the test fails instead of hanging.
  void expect_to_end(ThreadGroup& group) {
    EXPECT_TRUE(group.join(20s)) << "a task is pending, and nothing will start it";
    next_ran.release();
  }

  ThreadCache& cache = ThreadCache::instance();
  std::binary_semaphore next_ran{0};
};

TEST_F(ThreadShortage, start_is_repeated_after_a_pause) {
  std::latch running(1);
  ThreadGroup group("eight slots", {.max_concurrent_threads = 8});
  group.post([&] {
    running.count_down();
    next_ran.acquire();
  });
  running.wait();
  runtime::faults::refuse_threads(5);
  group.post([&] { next_ran.release(); });
  expect_to_end(group);
  EXPECT_EQ(group.statistics().succeeded, 2u);
}

TEST_F(ThreadShortage, start_is_repeated_by_a_flow_that_slept_before) {
  std::atomic<bool> done{false};
  std::atomic<bool> met{false};
  std::latch running(1);
  ThreadGroup elsewhere("elsewhere");
  ThreadGroup group("eight slots", {.max_concurrent_threads = 8});
  group.post([&] {
    running.count_down();
    met = elsewhere.wait_for_condition([&] { return done.load(); }, 20s, {20s, false}) ==
          WaitStatus::condition_met;
  });
  running.wait();
  runtime::faults::refuse_threads(5);
  group.post([&] {
    done = true;
    elsewhere.notify();
  });
  eventually([&] { return group.statistics().idle(); });  // this thread asks for nothing
  EXPECT_TRUE(met.load());
  EXPECT_EQ(group.statistics().succeeded, 2u);
}

TEST_F(ThreadShortage, start_is_repeated_by_a_flow_that_waits_for_a_descriptor) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  std::latch running(1);
  std::atomic<WaitOutcome> outcome{WaitOutcome::event_set};
  ThreadGroup group("eight slots", {.max_concurrent_threads = 8});
  group.post([&] {
    running.count_down();
    outcome.store(select(readable(ends[0], [] {}), after(20s)).outcome);
  });
  running.wait();
  runtime::faults::refuse_threads(5);
  group.post([&] { EXPECT_EQ(::write(ends[1], "x", 1), 1); });
  eventually([&] { return group.statistics().idle(); });  // this thread asks for nothing
  EXPECT_EQ(outcome.load(), WaitOutcome::ready);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ThreadShortage, thread_that_becomes_free_is_used) {
  std::latch running(2);
  std::binary_semaphore end_other{0};
  ThreadGroup other("other");
  ThreadGroup group("eight slots", {.max_concurrent_threads = 8});
  other.post([&] {
    running.count_down();
    end_other.acquire();
  });
  group.post([&] {
    running.count_down();
    next_ran.acquire();
  });
  running.wait();
  runtime::faults::refuse_threads(1'000'000);
  group.post([&] { next_ran.release(); });
  EXPECT_EQ(group.statistics().threads, 1u);
  end_other.release();
  expect_to_end(group);
  EXPECT_EQ(group.statistics().succeeded, 2u);
}

TEST_F(ThreadShortage, tasks_wait_for_a_worker_that_lent_its_place) {
  std::atomic<bool> go_on{false};
  std::latch both_added(1);
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  const auto lender = group.add_task([&] {
    both_added.wait();
    runtime::faults::refuse_threads(1'000'000);
    return thread_utils::wait_for_condition([&] { return go_on.load(); }, 20ms) == WaitStatus::timed_out;
  });
  const auto next = group.add_task([] { return 7; });
  both_added.count_down();
  // Without limits, this thread would run them.
  ASSERT_EQ(lender.wait(60s), WaitOutcome::ready);
  ASSERT_EQ(next.wait(60s), WaitOutcome::ready);
  EXPECT_TRUE(lender.get());
  EXPECT_EQ(next.get(), 7);
  EXPECT_TRUE(group.join());
}

TEST_F(ThreadShortage, statistics_tell_how_many_threads_are_missing) {
  std::latch running(1);
  std::binary_semaphore end{0};
  ThreadGroup group("many slots", {.max_concurrent_threads = 20'000});
  group.post([&] {
    running.count_down();
    end.acquire();
  });
  running.wait();
  runtime::faults::refuse_threads(1'000'000);
  for (int i = 0; i < 99; ++i) group.post([] {});
  EXPECT_EQ(group.statistics().threads, 1u);
  EXPECT_EQ(group.statistics().threads_wanted, 100u);
  EXPECT_EQ(group.statistics().thread_error, EAGAIN);
  end.release();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, 100u);
  EXPECT_EQ(group.statistics().thread_error, 0);
}

TEST_F(ThreadShortage, start_is_repeated_by_a_task_that_slept_before) {
  std::latch running(1);
  ThreadGroup group("eight slots", {.max_concurrent_threads = 8});
  group.post([&] {
    running.count_down();
    static_cast<void>(thread_utils::event_aware_sleep(600s));
  });
  running.wait();
  test::leave_time(50ms);  // so that it sleeps; without it, the test is only easier
  runtime::faults::refuse_threads(2);
  group.post([&] { next_ran.release(); });
  // This thread is outside of the library.
  EXPECT_TRUE(next_ran.try_acquire_for(20s)) << "a task is pending, and nothing will start it";
  group.set_event("enough");
  static_cast<void>(group.join());
}

TEST_F(ThreadShortage, start_is_repeated_in_a_forked_child) {
  if (TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER) GTEST_SKIP() << "threads after a fork";
  cache.set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
  {  // leaves idle threads behind, whose flows have no thread in the child
    std::latch all(16);
    ThreadGroup group("sixteen", {.max_concurrent_threads = 16});
    for (int i = 0; i < 16; ++i) group.post([&] { all.arrive_and_wait(); });
    static_cast<void>(group.join(60s));  // without a limit, this thread would run a task
  }
  eventually([&] { return cache.statistics().idle >= 16; });
  const pid_t child = ::fork();
  if (child == 0) {
    ThreadGroup group("eight slots", {.max_concurrent_threads = 8});
    std::atomic<bool> ran{false};
    group.post([&] {
      test::leave_time(50ms);  // so that the join sleeps
      runtime::faults::refuse_threads(2);
      group.post([&] { next_ran.release(); });
      ran = next_ran.try_acquire_for(20s);
    });
    static_cast<void>(group.join(60s));  // without a limit, this thread would run a task
    ::_exit(ran ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "a task is pending, and nothing will start it";
}

}  // namespace
}  // namespace thread_shortage_test
}  // namespace tg
