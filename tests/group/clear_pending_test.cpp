// SPDX-License-Identifier: Apache-2.0
// Taking back what has not begun: the event stays unset, and the group goes on.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/reasons.hpp"
#include "support/throwing.hpp"

namespace tg {
namespace clear_pending_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

// A group with one slot, which is taken until `let_go`.
class ClearPending : public testing::Test {
 protected:
  void SetUp() override {
    running = group.add_task(TaskName{"running"}, [this] {
      started.count_down();
      go.wait();
      return thread_utils::event_is_set();
    });
    started.wait();
  }
  void TearDown() override { let_go(); }
  void let_go() {
    if (!std::exchange(gone, true)) go.count_down();
  }

  std::latch started{1};
  std::latch go{1};
  bool gone = false;
  ThreadGroup group{"g", {.max_concurrent_threads = 1}};
  TaskHandle<bool> running;
};

TEST_F(ClearPending, skips_what_has_not_begun_and_says_how_many) {
  std::atomic<int> ran{0};
  std::vector<TaskHandle<void>> pending;
  for (int i = 0; i < 3; ++i) pending.push_back(group.add_task([&] { ++ran; }));
  for (int i = 0; i < 2; ++i) group.post([&] { ++ran; });
  EXPECT_EQ(group.clear_pending(), 5u);
  for (const auto& handle : pending) EXPECT_EQ(handle.status(), TaskStatus::skipped);
  EXPECT_EQ(group.statistics().pending, 0u);
  EXPECT_EQ(group.statistics().skipped, 5u);
  EXPECT_EQ(group.clear_pending(), 0u);
  let_go();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(group.statistics().total(), 6u);
}

TEST_F(ClearPending, tells_the_running_ones_nothing_and_the_group_goes_on) {
  group.post([] {});
  EXPECT_EQ(group.clear_pending(), 1u);
  EXPECT_FALSE(group.event_is_set());
  EXPECT_FALSE(group.reason());
  EXPECT_EQ(running.status(), TaskStatus::running);
  const auto later = group.add_task([] { return 2; });
  EXPECT_EQ(later.status(), TaskStatus::pending);
  let_go();
  EXPECT_FALSE(running.get());
  EXPECT_EQ(later.get(), 2);
  EXPECT_TRUE(group.set_event());
}

TEST_F(ClearPending, skipped_ones_carry_the_reason) {
  const auto unnamed = group.add_task([] {});
  const TimePoint before = runtime::now();
  group.clear_pending("not needed");
  const auto line = static_cast<std::uint32_t>(__LINE__ - 1);
  test::expect_requested(*unnamed.reason(), group, "not needed", line, before);
  EXPECT_THROW(unnamed.get(), TaskSkipped);

  const auto next = group.add_task([] {});
  group.clear_pending();
  EXPECT_FALSE(next.reason()->message.empty());
}

TEST_F(ClearPending, by_a_task_names_the_task) {
  ThreadGroup others("others");
  const auto pending = group.add_task([] {});
  const auto clears = others.add_task(TaskName{"janitor"}, [this] { return group.clear_pending(); });
  EXPECT_EQ(clears.get(), 1u);
  EXPECT_EQ(pending.reason()->task, "janitor");
  EXPECT_EQ(pending.reason()->origin_path, "MainThread/g");
}

TEST_F(ClearPending, leaves_the_groups_below_alone) {
  let_go();
  std::latch both_added(1);
  const auto outer = group.add_task([&] {
    std::latch inner_go(1);
    ThreadGroup below("below", {.max_concurrent_threads = 1});
    below.post([&] { inner_go.wait(); });
    const auto inner = below.add_task([] { return 3; });
    both_added.wait();
    EXPECT_EQ(group.clear_pending(), 1u);
    EXPECT_EQ(inner.status(), TaskStatus::pending);
    inner_go.count_down();
    return inner.get();
  });
  const auto pending = group.add_task([] {});
  both_added.count_down();
  EXPECT_EQ(outer.get(), 3);
  EXPECT_EQ(pending.status(), TaskStatus::skipped);
}

TEST_F(ClearPending, wakes_those_who_wait_for_the_skipped_and_for_the_group) {
  const auto pending = group.add_task([] {});
  std::atomic<int> looks{0};
  bool handle_woke = false;
  std::thread waits_for_handle([&] { handle_woke = pending.wait() == WaitOutcome::ready; });
  std::thread waits_for_condition([&] {
    // It does not look by the clock: what it sees, a notification brought.
    const auto status = group.wait_for_condition(
        [&] {
          ++looks;
          return group.statistics().skipped == 1;
        },
        1h, {.interval = 1h});
    EXPECT_EQ(status, WaitStatus::condition_met);
  });
  eventually([&] { return looks > 0; });
  EXPECT_EQ(group.clear_pending(), 1u);
  waits_for_handle.join();
  EXPECT_TRUE(handle_woke);
  waits_for_condition.join();
}

TEST_F(ClearPending, destroys_the_callables_and_a_destructor_that_throws_is_that_tasks_failure) {
  const auto token = std::make_shared<int>(0);
  group.post([token] {});
  const auto failed = group.add_task([bomb = test::ThrowsWhenDestroyed()] {});
  EXPECT_EQ(token.use_count(), 2);
  EXPECT_EQ(group.clear_pending(), 2u);
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(failed.status(), TaskStatus::failed);
  let_go();
  EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
  EXPECT_EQ(group.statistics().skipped, 1u);
  EXPECT_EQ(group.statistics().failed, 1u);
}

TEST_F(ClearPending, of_an_inherited_group_is_a_clear_error_in_a_forked_child) {
  EXPECT_EQ(test::in_child([this] {
              try {
                group.clear_pending();
                return 1;
              } catch (const ForkedError&) {
                return 0;
              }
            }),
            0);
}

TEST(ClearPendingRace, each_task_is_run_or_skipped_exactly_once) {
  for (int round = 0; round < 100; ++round) {
    ThreadGroup group("racing", {.max_concurrent_threads = 2});
    std::atomic<std::size_t> ran{0};
    std::latch ready(2);
    std::thread adder([&] {
      ready.arrive_and_wait();
      for (int i = 0; i < 200; ++i) group.post([&] { ++ran; });
    });
    ready.arrive_and_wait();
    std::size_t skipped = 0;
    while (group.statistics().total() < 200) skipped += group.clear_pending();
    adder.join();
    skipped += group.clear_pending();
    EXPECT_TRUE(group.join());
    EXPECT_EQ(ran + skipped, 200u);
    EXPECT_EQ(group.statistics().succeeded, ran);
    EXPECT_EQ(group.statistics().skipped, skipped);
  }
}

TEST_F(ClearPending, one_task_is_skipped_by_its_handle_and_the_others_run_in_order) {
  std::vector<int> ran;
  std::vector<TaskHandle<void>> pending;
  for (int i = 0; i < 4; ++i) pending.push_back(group.add_task([&ran, i] { ran.push_back(i); }));
  EXPECT_TRUE(group.clear_pending(pending[3], "not wanted"));
  EXPECT_TRUE(group.clear_pending(pending[1]));
  EXPECT_FALSE(group.clear_pending(pending[1]));
  EXPECT_FALSE(group.clear_pending(running));
  EXPECT_EQ(pending[3].status(), TaskStatus::skipped);
  EXPECT_EQ(pending[3].reason()->message, "not wanted");
  EXPECT_EQ(group.statistics().pending, 2u);
  EXPECT_EQ(group.statistics().skipped, 2u);
  group.post([&ran] { ran.push_back(4); });  // behind the one that was last
  let_go();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, (std::vector<int>{0, 2, 4}));
  EXPECT_FALSE(group.clear_pending(pending[0]));
}

TEST_F(ClearPending, one_task_wakes_its_waiter) {
  const TaskHandle<void> pending = group.add_task([] {});
  std::latch begun{1};
  std::thread waiter([&] {
    begun.count_down();
    EXPECT_EQ(pending.wait(), WaitOutcome::ready);
  });
  begun.wait();
  EXPECT_TRUE(group.clear_pending(pending));
  waiter.join();
}

TEST(ClearOnePending, of_the_tasks_that_a_task_has_added) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::atomic<int> ran{0};
  EXPECT_TRUE(group
                  .add_task([&] {
                    std::vector<TaskHandle<void>> children;
                    for (int i = 0; i < 3; ++i) children.push_back(group.add_task([&] { ++ran; }));
                    return group.clear_pending(children[1]);
                  })
                  .get());
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(group.statistics().skipped, 1u);
}

TEST(ClearOnePending, of_another_group_is_misuse) {
  ThreadGroup group("g");
  ThreadGroup other("other");
  const TaskHandle<void> task = other.add_task([] {});
  EXPECT_THROW(group.clear_pending(task), std::invalid_argument);
  EXPECT_THROW(group.clear_pending(TaskHandle<void>()), std::invalid_argument);
  EXPECT_TRUE(other.join());
}

TEST(ClearOnePending, each_task_is_run_or_skipped_but_never_both) {
  ThreadGroup group("g", {.max_concurrent_threads = 3});
  std::atomic<std::size_t> ran{0};
  std::size_t skipped = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<TaskHandle<void>> tasks;
    for (int i = 0; i < 40; ++i) tasks.push_back(group.add_task([&] { ++ran; }));
    for (const auto& task : tasks) skipped += group.clear_pending(task) ? 1 : 0;
  }
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran + skipped, 2000u);
  EXPECT_EQ(group.statistics().skipped, skipped);
  EXPECT_EQ(group.statistics().succeeded, ran);
}

}  // namespace
}  // namespace clear_pending_test
}  // namespace tg
