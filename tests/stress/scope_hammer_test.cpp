// SPDX-License-Identifier: Apache-2.0
// Hammers for scopes: stops, deadlines and ends at random moments.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"

namespace tg::stress {
namespace scope_hammer_test {
namespace {

using namespace std::chrono_literals;

Duration briefly(Random& random) { return Duration::from_nanos(random.below(200'000)); }

// Makes scopes in scopes, with what belongs to them, and checks what must hold at each moment.
void nest(Random& random, int depth, std::atomic<std::uint64_t>& calls) {
  StopScope scope(random.one_in(2) ? briefly(random) : Duration(1h), random.one_in(4) ? "named" : "");
  int called = 0;
  {
    const OnStop on_stop([&called] { ++called; });
    if (random.one_in(3)) scope.set_event("by itself");
    if (depth > 0) nest(random, depth - 1, calls);
    if (random.one_in(4)) {
      ThreadGroup group("inside", {.max_concurrent_threads = 1});
      group.post([] { thread_utils::event_aware_sleep(1h); });
      if (!scope.event_is_set()) scope.set_event("for the group");
      static_cast<void>(group.join());
    }
    if (random.one_in(4)) thread_utils::event_aware_sleep(briefly(random));
  }
  // A scope that was set calls the function once, before or during the end of the object, and never later.
  calls += static_cast<std::uint64_t>(called);
  EXPECT_LE(called, 1);
  EXPECT_TRUE(called == 0 || scope.event_is_set());
}

TEST(ScopeHammer, stops_meet_scopes_that_begin_and_end) {
  Random seeds(choose_seed());
  std::atomic<std::uint64_t> calls{0};
  for (int round = 0; round < rounds(40); ++round) {
    std::atomic<std::uint64_t> nests{0};
    ThreadGroup group("group", {.max_concurrent_threads = 4});
    for (int task = 0; task < 4; ++task) {
      group.post([&, seed = seeds.fork()] {
        Random random(seed);
        for (int i = 0; i < 100; ++i, ++nests) nest(random, 3, calls);
      });
    }
    Random random(seeds.fork());
    if (random.one_in(2)) {
      const auto begun = static_cast<std::uint64_t>(random.below(100));
      while (group.statistics().done() < 4 && nests.load() < begun) std::this_thread::yield();
      group.set_event("at a random moment");
    }
    static_cast<void>(group.join());
  }
  EXPECT_GT(calls, 0U);
  for (const NodeSnapshot& node : ThreadEventsController::instance().snapshot().nodes)
    EXPECT_NE(node.kind, NodeKind::scope) << node.name;
}

// In a shield the stop comes after the grace, and not before.
TEST(ScopeHammer, stops_meet_shields_that_begin_and_end) {
  Random seeds(choose_seed());
  for (int round = 0; round < rounds(200); ++round) {
    std::atomic<int> shields{0};
    ThreadGroup group("group", {.max_concurrent_threads = 3});
    for (int task = 0; task < 3; ++task) {
      group.post([&shields, seed = seeds.fork()] {
        Random random(seed);
        for (int i = 0; i < 20; ++i, ++shields) {
          const Shield held(1h);
          EXPECT_TRUE(thread_utils::event_aware_sleep(briefly(random)));
          const Shield brief(briefly(random));
          EXPECT_FALSE(thread_utils::event_is_set());
        }
        const Shield brief(briefly(random));
        EXPECT_FALSE(thread_utils::event_aware_sleep(1h));
      });
    }
    Random random(seeds.fork());
    const int made = random.below(40);
    while (shields.load() < made) std::this_thread::yield();
    group.set_event("at a random moment");
    EXPECT_TRUE(group.join().counts.failed == 0);
  }
}

// A handle stops its task at any moment: each one is skipped, stopped, or has ended by itself.
TEST(ScopeHammer, handles_stop_tasks_at_any_moment) {
  Random random(choose_seed());
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  std::uint64_t told = 0;
  std::uint64_t stopped = 0;
  for (int i = 0; i < rounds(20'000); ++i) {
    const auto task = group.add_task(TaskOptions{.own_event = true}, [sleeps = random.one_in(2)] {
      if (sleeps) thread_utils::event_aware_sleep(1h);
      thread_utils::throw_if_event_set();
    });
    const int pauses = random.below(50);
    for (int k = 0; k < pauses; ++k) std::this_thread::yield();
    if (task.set_event()) ++told;
    ASSERT_EQ(task.wait(), WaitOutcome::ready);
    if (task.status() != TaskStatus::succeeded) ++stopped;
  }
  EXPECT_LE(stopped, told);
  static_cast<void>(group.join());
}

}  // namespace
}  // namespace scope_hammer_test
}  // namespace tg::stress
