// SPDX-License-Identifier: Apache-2.0
// Hammers for the queue and its workers: each one works at a single race, over and over.
#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "runtime/faults.hpp"
#include "runtime/threads.hpp"
#include "stress/support.hpp"

namespace tg::stress {
namespace pool_hammer_test {
namespace {

using namespace std::chrono_literals;
using runtime::ThreadCache;

TEST(PoolHammer, adds_from_many_threads_meet_workers_that_leave) {
  for (const std::size_t bound : {1u, 3u}) {
    ThreadGroup group("leaving", {.max_concurrent_threads = bound});
    constexpr int kAdders = 3;
    const int each = rounds(3000);
    std::atomic<int> ran{0};
    std::vector<std::thread> adders;
    for (int i = 0; i < kAdders; ++i) {
      adders.emplace_back([&] {
        for (int k = 0; k < each; ++k) {
          const auto handle = group.add_task([&ran] { ++ran; });
          // Now and then the queue runs empty, and the last worker is on its way out when the next add comes.
          if (k % 2 == 0) {
            ASSERT_EQ(handle.wait(60s), WaitOutcome::ready) << "a task was lost, bound " << bound;
          }
        }
      });
    }
    for (std::thread& adder : adders) adder.join();
    ASSERT_TRUE(group.join(60s));
    EXPECT_EQ(ran.load(), kAdders * each);
  }
}

TEST(PoolHammer, joins_meet_the_last_task) {
  ThreadGroup group("joined", {.max_concurrent_threads = 2});
  std::atomic<int> ran{0};
  for (int i = 0; i < rounds(8000); ++i) {
    group.post([&ran] { ++ran; });
    ASSERT_TRUE(group.join(60s)) << "the join was not woken, round " << i;
    ASSERT_EQ(ran.load(), i + 1);
  }
}

TEST(PoolHammer, destructors_meet_the_last_task) {
  std::atomic<int> ended{0};
  struct Counts {
    std::atomic<int>* ended;
    explicit Counts(std::atomic<int>* e) : ended(e) {}
    Counts(Counts&& other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
    ~Counts() {
      if (ended != nullptr) ++*ended;
    }
  };
  const int count = rounds(5000);
  for (int i = 0; i < count; ++i) {
    ThreadGroup group("brief");
    group.post([counts = Counts(&ended)] {});
    if (i % 3 == 0) group.post([counts = Counts(&ended)] {});
  }
  EXPECT_EQ(ended.load(), count + (count + 2) / 3);
}

// Trees of tasks that add tasks: some wait for them, some block until another worker ran them, some fail, and
// others join, look, and add from outside meanwhile.
TEST(PoolHammer, tasks_that_add_tasks_meet_workers_that_take_them) {
  for (const std::size_t bound : {1u, 2u, 5u}) {
    ThreadGroup group("trees", {.max_concurrent_threads = bound});
    std::atomic<std::uint64_t> ended{0};
    std::uint64_t expected = 0;
    std::function<void(int, unsigned)> grow = [&](int depth, unsigned seed) {
      if (depth > 0) {
        std::vector<TaskHandle<void>> children;
        for (unsigned i = 0; i < 3; ++i) {
          children.push_back(group.add_task([&grow, depth, seed, i] { grow(depth - 1, seed * 3 + i); }));
        }
        if (seed % 2 == 0) static_cast<void>(children[seed % 3].wait());
        if (seed % 5 == 0) std::this_thread::yield();
      }
      ++ended;
    };
    std::atomic<bool> stop{false};
    std::thread watcher([&] {
      while (!stop) {
        const GroupStatistics now = group.statistics();
        EXPECT_LE(now.pending, 1'000'000u);
        static_cast<void>(group.join(1ms));
      }
    });
    for (int i = 0; i < rounds(100); ++i) {
      group.post([&grow, i] { grow(4, static_cast<unsigned>(i)); });
      expected += 1 + 3 + 9 + 27 + 81;
      if (i % 7 == 0) {
        ASSERT_TRUE(group.join(60s)) << "bound " << bound << ", round " << i;
        ASSERT_EQ(ended.load(), expected);
      }
    }
    ASSERT_TRUE(group.join(60s)) << "bound " << bound;
    stop = true;
    watcher.join();
    EXPECT_EQ(ended.load(), expected);
    EXPECT_EQ(group.statistics().succeeded, expected);
  }
}

// Each task waits for the next one of its group, twenty deep, from several roots at once. There are never
// more tasks at work than the bound.
TEST(PoolHammer, nested_waits_lend_and_reclaim_their_slots) {
  for (const int bound : {1, 2}) {
    ThreadGroup group("lending", {.max_concurrent_threads = static_cast<std::size_t>(bound)});
    std::atomic<int> at_work{0};
    std::atomic<int> worst{0};
    const auto enter = [&] {
      const int now = ++at_work;
      int seen = worst.load();
      while (now > seen && !worst.compare_exchange_weak(seen, now)) {
      }
    };
    struct Deep {
      ThreadGroup& group;
      std::atomic<int>& at_work;
      const std::function<void()>& enter;
      int operator()(int depth) const {
        enter();
        int below = 0;
        if (depth > 0) {
          const auto next = group.add_task(*this, depth - 1);
          const auto beside = group.add_task([this] {
            enter();
            --at_work;
          });
          --at_work;
          static_cast<void>(next.wait());
          enter();
          --at_work;
          static_cast<void>(beside.wait());
          enter();
          below = next.get();
        }
        --at_work;
        return below + 1;
      }
    };
    const std::function<void()> entering = enter;
    for (int round = 0; round < rounds(60); ++round) {
      std::vector<TaskHandle<int>> roots;
      for (int i = 0; i < 3; ++i) roots.push_back(group.add_task(Deep{group, at_work, entering}, 20));
      for (const auto& root : roots) {
        ASSERT_EQ(root.wait(60s), WaitOutcome::ready) << "hangs with bound " << bound << ", round " << round;
        EXPECT_EQ(root.get(), 21);
      }
    }
    EXPECT_TRUE(group.join());
    EXPECT_LE(worst.load(), bound);
    EXPECT_EQ(at_work.load(), 0);
  }
}

TEST(PoolHammer, lending_tasks_are_stopped_in_the_midst_of_it) {
  for (int round = 0; round < rounds(300); ++round) {
    ThreadGroup group("told", {.max_concurrent_threads = 2});
    struct Deep {
      ThreadGroup& group;
      void operator()(int depth) const {
        if (depth > 0) static_cast<void>(group.add_task(*this, depth - 1).wait());
        static_cast<void>(thread_utils::event_aware_sleep(100us));
      }
    };
    for (int i = 0; i < 3; ++i) group.post(Deep{group}, 10);
    if (round % 2 == 0) static_cast<void>(thread_utils::event_aware_sleep(1us * (round % 50) * 10));
    group.set_event();
    ASSERT_TRUE(group.join(60s)) << "round " << round;
    EXPECT_TRUE(group.statistics().idle());
  }
}

TEST(PoolHammer, threads_that_cannot_be_made_lose_no_task) {
  ThreadCache& cache = ThreadCache::instance();
  for (int round = 0; round < rounds(400); ++round) {
    cache.set_limits(static_cast<std::size_t>(round % 3), 1ms);
    ThreadGroup group("short of threads", {.max_concurrent_threads = 3});
    std::atomic<int> accepted{0}, refused{0}, destroyed{0};
    struct Counts {
      std::atomic<int>* destroyed;
      explicit Counts(std::atomic<int>* d) : destroyed(d) {}
      Counts(Counts&& other) noexcept : destroyed(std::exchange(other.destroyed, nullptr)) {}
      ~Counts() {
        if (destroyed != nullptr) ++*destroyed;
      }
    };
    std::latch together(3);
    std::vector<std::thread> adders;
    for (int i = 0; i < 2; ++i) {
      adders.emplace_back([&] {
        together.arrive_and_wait();
        for (int k = 0; k < 40; ++k) {
          if (k % 4 == 0) runtime::faults::refuse_threads(2);
          try {
            if (k % 2 == 0) {
              group.post([counts = Counts(&destroyed)] {});
            } else {
              static_cast<void>(group.add_task([counts = Counts(&destroyed)] {}));
            }
            ++accepted;
          } catch (const std::system_error&) {
            ++refused;
          }
        }
      });
    }
    std::thread joiner([&] {
      together.arrive_and_wait();
      for (int k = 0; k < 20; ++k) EXPECT_FALSE(group.wait_idle(60s).timed_out);
    });
    for (std::thread& adder : adders) adder.join();
    joiner.join();
    ASSERT_TRUE(group.wait_idle(60s));
    EXPECT_EQ(group.statistics().total(), static_cast<std::uint64_t>(accepted.load()));
    EXPECT_EQ(destroyed.load(), accepted + refused);
  }
  runtime::faults::refuse_threads(0);
  cache.set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
}

TEST(PoolHammer, cache_limits_change_while_threads_come_and_go) {
  ThreadCache& cache = ThreadCache::instance();
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    for (unsigned i = 0; !stop; ++i) cache.set_limits(i % 5, Duration(1us * (i % 7) * 100));
  });
  std::vector<std::thread> users;
  std::atomic<int> ran{0};
  const int each = rounds(2000);
  for (int i = 0; i < 3; ++i) {
    users.emplace_back([&] {
      for (int k = 0; k < each; ++k) {
        ThreadGroup group("user");
        group.post([&ran] { ++ran; });
        ASSERT_TRUE(group.join(60s));
      }
    });
  }
  for (std::thread& user : users) user.join();
  stop = true;
  changer.join();
  EXPECT_EQ(ran.load(), 3 * each);
  cache.set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
}

TEST(PoolMillion, queued_tasks_are_added_and_drained) {
  const int count = kSanitized ? 100'000 : 1'000'000;
  std::atomic<int> ran{0};
  ThreadGroup group("million", {.max_concurrent_threads = 4});
  std::latch go(1);
  for (int i = 0; i < 4; ++i) group.post([&go] { go.wait(); });
  for (int i = 0; i < count; ++i) group.post([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
  EXPECT_GE(group.statistics().pending, static_cast<std::size_t>(count));
  go.count_down();
  ASSERT_TRUE(group.join());
  EXPECT_EQ(ran.load(), count);
}

TEST(PoolMillion, queued_tasks_are_skipped) {
  const int count = kSanitized ? 100'000 : 1'000'000;
  std::atomic<int> ran{0};
  ThreadGroup group("million", {.max_concurrent_threads = 1});
  group.post([] { EXPECT_FALSE(thread_utils::event_aware_sleep(600s)); });
  for (int i = 0; i < count; ++i) group.post([&ran] { ++ran; });
  group.set_event();
  ASSERT_TRUE(group.join());
  EXPECT_EQ(ran.load(), 0);
  EXPECT_GE(group.statistics().skipped, static_cast<std::uint64_t>(count));
}

}  // namespace
}  // namespace pool_hammer_test
}  // namespace tg::stress
