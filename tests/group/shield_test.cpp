// SPDX-License-Identifier: Apache-2.0
// Shields: stops from outside are held back for the grace.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <optional>
#include <string>

#include <threadgroup/scope.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

namespace tg {
namespace shield_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

TEST(Shield, in_a_stopped_task_lets_groups_handles_and_waits_work) {
  ThreadGroup group("g");
  const auto task = group.add_task([&] {
    group.set_event("enough");
    EXPECT_FALSE(event_aware_sleep(1h));
    const Shield shield(1h, "clean up");
    EXPECT_FALSE(thread_utils::event_is_set());
    EXPECT_TRUE(event_aware_sleep(1ms));
    ThreadGroup cleaners("cleaners");
    const int sum = cleaners.add_task([] { return event_aware_sleep(1ms) ? 1 : 0; }).get();
    return sum + (cleaners.join().all_succeeded() ? 1 : 0);
  });
  EXPECT_EQ(task.get(), 2);
}

TEST(Shield, after_it_the_task_is_stopped_as_before) {
  ThreadGroup group("g");
  const auto task = group.add_task([&] {
    group.set_event();
    {
      const Shield shield(1h);
      EXPECT_FALSE(thread_utils::event_is_set());
    }
    return event_aware_sleep(1h);
  });
  EXPECT_FALSE(task.get());
}

TEST(Shield, is_stopped_for_the_outer_reason_when_its_grace_is_over) {
  ThreadGroup group("g");
  const auto origin = group.add_task([&] {
    group.set_event("enough");
    const Shield shield(2ms);
    const bool whole = event_aware_sleep(1h);
    return whole ? std::string("not stopped") : thread_utils::reason()->message;
  });
  EXPECT_EQ(origin.get(), "enough");
}

TEST(Shield, grace_begins_with_a_stop_that_comes_later) {
  ThreadGroup group("g");
  std::latch inside(1);
  const auto task = group.add_task([&] {
    const Shield shield(2ms);
    ThreadGroup below("below");
    const auto sleeper = below.add_task([] { return event_aware_sleep(1h); });
    inside.count_down();
    const bool whole = event_aware_sleep(1h);
    return !whole && group.event_is_set() && below.event_is_set();
  });
  inside.wait();
  group.set_event("now");
  EXPECT_TRUE(task.get());
}

TEST(Shield, without_grace_is_stopped_at_once) {
  ThreadGroup group("g");
  EXPECT_FALSE(group
                   .add_task([&] {
                     group.set_event();
                     const Shield shield(0s);
                     return event_aware_sleep(1h);
                   })
                   .get());
}

TEST(Shield, whose_surroundings_are_not_stopped_is_not_stopped) {
  StopScope scope;
  const Shield shield(0s);
  EXPECT_TRUE(event_aware_sleep(2ms));
}

TEST(Shield, does_not_hold_back_a_stop_from_inside) {
  StopScope outer;
  outer.set_event();
  const Shield shield(1h);
  StopScope inner(1ms);
  EXPECT_FALSE(event_aware_sleep(1h));
  EXPECT_TRUE(inner.timed_out());
}

TEST(Shield, in_a_shield_begins_its_grace_when_the_outer_one_is_over) {
  StopScope scope;
  const Shield outer(1ms, "outer");
  const Shield inner(1ms, "inner");
  scope.set_event("enough");
  EXPECT_FALSE(event_aware_sleep(1h));
  EXPECT_EQ(thread_utils::reason()->message, "enough");
}

TEST(Shield, holds_back_the_controller) {
  const Shield shield(1h, "s");
  ThreadEventsController::instance().set_all_events("all");
  ThreadEventsController::instance().set_all_events("again");
  EXPECT_FALSE(thread_utils::event_is_set());
  ThreadGroup group("inside");
  EXPECT_EQ(group.add_task([] { return 1; }).get(), 1);
}

TEST(Shield, is_a_node_of_the_snapshot) {
  const Shield shield(1s, "s");
  EXPECT_EQ(ThreadEventsController::instance().snapshot().find("s")->kind, NodeKind::shield);
  EXPECT_EQ(thread_utils::current_path(), "MainThread/s");
}

TEST(Shield, deadline_of_a_scope_around_it_is_held_back) {
  StopScope scope(1ms);
  std::optional<Shield> shield(std::in_place, 1h);
  EXPECT_TRUE(event_aware_sleep(5ms));
  shield.reset();
  EXPECT_FALSE(event_aware_sleep(1h));
  EXPECT_TRUE(scope.timed_out());
}

}  // namespace
}  // namespace shield_test
}  // namespace tg
