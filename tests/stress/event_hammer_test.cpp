// SPDX-License-Identifier: Apache-2.0
// Hammers for events and waits: setting against queueing, timing out and leaving.
#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "runtime/threads.hpp"
#include "stress/support.hpp"

namespace tg::stress {
namespace event_hammer_test {
namespace {

using namespace std::chrono_literals;

TEST(EventHammer, event_meets_sleeps_that_begin_and_time_out) {
  Random random(choose_seed());
  for (int round = 0; round < rounds(800); ++round) {
    ThreadGroup group("sleepers", {.max_concurrent_threads = 4});
    std::latch running(4);
    for (int i = 0; i < 4; ++i) {
      group.post([&running, i] {
        running.count_down();
        // Most sleeps end by themselves; the last one must be ended by the event, whenever it comes.
        for (int k = 0; k < 3; ++k) {
          if (!thread_utils::event_aware_sleep(5us * i * k)) return;
        }
        EXPECT_FALSE(thread_utils::event_aware_sleep(600s));
      });
    }
    running.wait();
    if (const int wait = random.below(60); wait > 0)
      static_cast<void>(thread_utils::event_aware_sleep(1us * wait));
    EXPECT_TRUE(group.set_event());
    ASSERT_TRUE(group.join(60s)) << "a sleeper was not woken, round " << round;
  }
}

TEST(EventHammer, event_meets_waits_for_handles_conditions_and_joins) {
  Random random(choose_seed());
  for (int round = 0; round < rounds(400); ++round) {
    ThreadGroup elsewhere("elsewhere");
    const auto never = elsewhere.add_task([] { return thread_utils::event_aware_sleep(600s); });
    ThreadGroup group("waiters", {.max_concurrent_threads = 8});
    std::latch running(4);
    group.post([&] {
      running.count_down();
      EXPECT_EQ(never.wait(), WaitOutcome::event_set);
    });
    group.post([&] {
      running.count_down();
      const auto joined = elsewhere.join(600s);
      EXPECT_TRUE(joined.event_set);
    });
    group.post([&] {
      running.count_down();
      EXPECT_EQ(thread_utils::wait_for_condition([] { return false; }, 600s, {.interval = 50us}),
                WaitStatus::event_set);
    });
    group.post([&] {
      running.count_down();
      EXPECT_EQ(elsewhere.wait_for_condition([] { return false; }, 600s), WaitStatus::event_set);
    });
    running.wait();
    if (const int wait = random.below(80); wait > 0)
      static_cast<void>(thread_utils::event_aware_sleep(1us * wait));
    group.set_event();
    ASSERT_TRUE(group.join(60s)) << "a waiter was not woken, round " << round;
    EXPECT_FALSE(elsewhere.event_is_set());
  }
}

// The setter wakes waiters of nodes that go away at that very moment.
TEST(EventHammer, event_meets_nodes_that_go_away) {
  for (int round = 0; round < rounds(100); ++round) {
    ThreadGroup top("top", {.max_concurrent_threads = 4});
    std::latch ready(4);
    for (int i = 0; i < 3; ++i) {
      top.post([&ready] {
        ready.count_down();
        while (!thread_utils::event_is_set()) {
          ThreadGroup child("child");
          const auto sleeper = child.add_task([] { return thread_utils::event_aware_sleep(20us); });
          static_cast<void>(sleeper.wait(10us));
          const std::stop_token token = child.get_stop_token();
          const std::stop_callback callback(token, [] {});
          ThreadGroup leaf("leaf");
        }
      });
    }
    ready.arrive_and_wait();
    top.set_event();
    ASSERT_TRUE(top.join(60s)) << round;
  }
  EXPECT_TRUE(ThreadEventsController::instance().snapshot().nodes.empty());
}

TEST(EventHammer, first_of_many_setters_wins_and_its_reason_stays) {
  for (int round = 0; round < rounds(400); ++round) {
    ThreadGroup parent("parent");
    std::optional<ThreadGroup> child;
    parent.add_task([&] { child.emplace("child"); }).get();
    const auto sleeper = child->add_task([] { return thread_utils::event_aware_sleep(600s); });
    std::latch together(4);
    std::atomic<int> child_winners{0}, parent_winners{0};
    std::vector<std::thread> setters;
    for (int i = 0; i < 4; ++i) {
      setters.emplace_back([&, i] {
        together.arrive_and_wait();
        if (i < 2) {
          if (child->set_event("child")) ++child_winners;
        } else if (parent.set_event("parent")) {
          ++parent_winners;
        }
        EXPECT_TRUE(child->event_is_set());
      });
    }
    for (std::thread& setter : setters) setter.join();
    EXPECT_EQ(parent_winners.load(), 1);
    EXPECT_LE(child_winners.load(), 1);
    EXPECT_EQ(child->reason()->message, child_winners == 1 ? "child" : "parent");
    EXPECT_EQ(child->reason()->origin, child_winners == 1 ? child->id() : parent.id());
    ASSERT_EQ(sleeper.wait(60s), WaitOutcome::ready);
    child.reset();
  }
}

TEST(EventHammer, handle_waited_for_by_many_with_short_time_outs) {
  for (int round = 0; round < rounds(80); ++round) {
    ThreadGroup group("one task");
    std::binary_semaphore let_go(0);
    const auto handle = group.add_task([&] {
      let_go.acquire();
      return std::string("here");
    });
    std::latch ready(7);
    std::vector<std::thread> waiters;
    for (int i = 0; i < 6; ++i) {
      waiters.emplace_back([&, i] {
        ready.count_down();
        // Each time-out takes the waiter out of a line that may be released at the same moment.
        while (handle.wait(1us * (i * 7 + 1)) != WaitOutcome::ready) {
        }
        EXPECT_EQ(handle.get(), "here");
      });
    }
    ready.arrive_and_wait();
    let_go.release();
    for (std::thread& waiter : waiters) waiter.join();
  }
}

TEST(EventHammer, condition_meets_notifications_and_tasks_that_end) {
  for (int round = 0; round < rounds(400); ++round) {
    ThreadGroup group("condition", {.max_concurrent_threads = 3});
    std::atomic<int> done{0};
    std::latch go(1);
    for (int i = 0; i < 3; ++i) {
      group.post([&] {
        go.wait();
        ++done;
        thread_utils::notify();
      });
    }
    go.count_down();
    // With an interval of ten minutes a lost wake-up is a hang.
    ASSERT_EQ(group.wait_for_condition([&] { return done == 3; }, 1200s, {.interval = 600s}),
              WaitStatus::condition_met);
  }
}

TEST(EventHammer, thousands_of_blocked_threads_are_stopped) {
  const std::size_t count = kSanitized ? 400 : 10'000;  // the sanitizers need 10 ms for each thread
  std::atomic<std::size_t> told{0};
  {
    ThreadGroup group("crowd", {.max_concurrent_threads = count});
    std::latch running(static_cast<std::ptrdiff_t>(count));
    try {
      for (std::size_t i = 0; i < count; ++i) {
        group.post([&] {
          running.count_down();
          if (!thread_utils::event_aware_sleep(3600s)) ++told;
        });
      }
    } catch (const std::system_error&) {
    }
    // Threads beyond what this machine gives leave tasks in the queue, which are skipped: go on once no more
    // of them come.
    std::size_t most = 0;
    for (int polls_without_growth = 0; !running.try_wait() && polls_without_growth < 3000;) {
      static_cast<void>(thread_utils::event_aware_sleep(1ms));
      const std::size_t now = group.statistics().running;
      polls_without_growth = now > most ? 0 : polls_without_growth + 1;
      most = std::max(most, now);
    }
    group.set_event();
    ASSERT_TRUE(group.join(120s));
    const GroupStatistics statistics = group.statistics();
    EXPECT_EQ(statistics.succeeded, told.load());
    EXPECT_EQ(statistics.succeeded + statistics.skipped, statistics.total());
    EXPECT_GE(statistics.succeeded, std::min<std::size_t>(count, 500));
  }
  // Their leaving is work for the kernel, which the next test should not have to share.
  while (runtime::ThreadCache::instance().statistics().threads > runtime::ThreadCache::kDefaultMaxIdle)
    std::this_thread::yield();
}

}  // namespace
}  // namespace event_hammer_test
}  // namespace tg::stress
