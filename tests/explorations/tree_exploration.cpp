// SPDX-License-Identifier: Apache-2.0
// Events and measures that meet links: the subtree, groups that their flow alone has seen, and time limits.
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include <chrono>
#include <cstdint>

#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/path_counts.hpp"

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"
#include "support/nodes.hpp"

namespace tg::test {
namespace tree_exploration {
namespace {

using detail::Forest;

constexpr Duration kMillisecond = Duration::from_nanos(1'000'000);
constexpr Duration kTick = Duration::from_nanos(1024);

// Once a call of `set_event` has returned, first or not, the events of all groups below are set, also of
// those made later (T1, T3).
TG_EXPLORATION(TreeExploration, the_subtree_is_set_when_a_setter_returns) {
  const Linked top("top");
  const Linked middle("middle", *top);
  const Linked leaf("leaf", *middle);
  Signal returned;
  const auto set = [&] {
    set_event(top);
    require(leaf.is_set(), "the subtree is set");
    returned.send();
  };
  together({{"sets", set}, {"sets as well", set}, {"links", [&] {
                                                     const bool before = returned.is_sent();
                                                     const Linked child("child", *middle);
                                                     require(!before || child.is_set(),
                                                             "a child of a set parent is born set");
                                                   }}});
}
TG_FINDS(TreeExploration, the_subtree_is_set_when_a_setter_returns, tree_child_is_born_unset, 500)
TG_FINDS(TreeExploration, the_subtree_is_set_when_a_setter_returns, tree_second_setter_does_not_wait, 1000)
TG_SEARCH_FINDS(TreeExploration, the_subtree_is_set_when_a_setter_returns, tree_second_setter_does_not_wait,
                30)

// A flow makes and destroys groups without the forest's lock while another one sets the event (F1 to F4).
TG_EXPLORATION(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups) {
  const Linked parent("parent");
  Signal returned;
  together({{"makes groups",
             [&] {
               const Inside inside(*parent);
               for (int i = 0; i < 8; ++i) {
                 const bool before = returned.is_sent();
                 const ThreadGroup group("group");
                 require(!before || group.event_is_set(), "a child of a set parent is born set");
                 const bool after = returned.is_sent();
                 require(!after || group.event_is_set(), "an event reaches a group that was fresh");
               }
             }},
            {"sets", [&] {
               set_event(parent);
               returned.send();
             }}});
  require(!Forest::instance().has_children(*parent), "all groups have left the forest");
}
TG_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups, fresh_link_is_not_checked_again,
         5000)
TG_SEARCH_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups,
                fresh_link_is_not_checked_again, 50)
TG_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups, fresh_unlink_is_not_checked_again,
         5000)
TG_SEARCH_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups,
                fresh_unlink_is_not_checked_again, 20)
TG_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups, fresh_groups_are_not_revealed, 1000)
TG_SEARCH_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups, fresh_groups_are_not_revealed,
                20)
TG_IN_WEAK_MEMORY(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups)
TG_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups_in_weak_memory,
         fresh_link_has_no_fence, 5000)
TG_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups_in_weak_memory,
         fresh_unlink_has_no_fence, 1000)
TG_FINDS(FreshGroupExploration, an_event_meets_a_flow_that_makes_groups_in_weak_memory,
         fresh_reveal_has_no_fence, 1000)

TG_EXPLORATION(FreshGroupExploration, a_snapshot_meets_a_flow_that_makes_groups) {
  const Linked parent("parent");
  together({{"makes groups",
             [&] {
               const Inside inside(*parent);
               for (int i = 0; i < 8; ++i) const ThreadGroup group("group");
             }},
            {"looks", [&] {
               for (int i = 0; i < 2; ++i)
                 require(Forest::instance().snapshot().nodes.size() <= 4, "as many as there are");
             }}});
  require(!Forest::instance().has_children(*parent), "all groups have left the forest");
}

TG_IN_WEAK_MEMORY(FreshGroupExploration, a_snapshot_meets_a_flow_that_makes_groups)
TG_FINDS_RACE(FreshGroupExploration, a_snapshot_meets_a_flow_that_makes_groups_in_weak_memory,
              fresh_link_publishes_nothing, 2000)

// Each group counts once for those who measure, while it is there and when it is gone (T14).
TG_EXPLORATION(MeasureExploration, measures_meet_a_flow_that_makes_a_group) {
  const auto succeeded = [] {
    std::uint64_t sum = 0;
    for (const detail::PathMeasures& path : Forest::instance().measure(1).paths) sum += path.ended.succeeded;
    return sum;
  };
  require(succeeded() == 0, "nothing is counted yet");
  Signal joined;
  together({{"makes a group",
             [&] {
               ThreadGroup group("group");
               group.post([] {});
               group.join();
               joined.send();
             }},
            {"measures", [&] {
               for (int i = 0; i < 3; ++i) {
                 const bool before = joined.is_sent();
                 require(succeeded() == 1 || !before, "a task that has ended is counted");
               }
             }}});
  require(succeeded() == 1, "it is counted once");
}
TG_FINDS(MeasureExploration, measures_meet_a_flow_that_makes_a_group, measure_looks_twice, 1000)

// A later limit is there first; the earlier one comes at its time all the same.
TG_EXPLORATION(TimeLimitExploration, the_earlier_of_two_limits_comes_at_its_time) {
  hold_clock();
  const TimePoint begin = runtime::now();
  ThreadGroup late(
      "late", {.max_concurrent_threads = 1, .time_limit = Duration::from_nanos(20 * kMillisecond.nanos())});
  pause();
  ThreadGroup early("early", {.max_concurrent_threads = 1, .time_limit = kMillisecond});
  early.post([] { thread_utils::event_aware_sleep(std::chrono::hours(1)); });
  early.join();
  require(runtime::now() <= begin + kMillisecond + kMillisecond + kTick, "the limit came at its time");
}
TG_FINDS(TimeLimitExploration, the_earlier_of_two_limits_comes_at_its_time, limits_adder_does_not_wake, 200)

TG_EXPLORATION(TimeLimitExploration, a_limit_meets_the_end_of_its_group) {
  for (int i = 0; i < 2; ++i) {
    const ThreadGroup group("group", {.time_limit = kMillisecond});
    if (i == 1) pause();
  }
}
TG_FINDS(TimeLimitExploration, a_limit_meets_the_end_of_its_group, limits_flow_holds_no_reference, 1000)

}  // namespace
}  // namespace tree_exploration
}  // namespace tg::test
