// SPDX-License-Identifier: Apache-2.0
// Scopes, shields and calls at a stop that meet the stop.
#include <threadgroup/detail/task_scope.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/thread_utils.hpp>

#include <chrono>
#include <optional>

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"
#include "sim/plain.hpp"
#include "support/nodes.hpp"

namespace tg::test {
namespace scope_exploration {
namespace {

constexpr Duration kMillisecond = Duration::from_nanos(1'000'000);
constexpr Duration kHalf = Duration::from_nanos(500'000);
constexpr std::chrono::hours kHour(1);

// A stop reaches what is in a scope, even in a scope that only its own flow has seen (T1, F2).
TG_EXPLORATION(ScopeExploration, a_stop_meets_a_flow_that_makes_scopes) {
  const Linked parent("parent");
  Signal returned;
  together({{"makes scopes",
             [&] {
               const Inside inside(*parent);
               for (int i = 0; i < 4; ++i) {
                 const bool before = returned.is_sent();
                 const StopScope outer;
                 const StopScope inner;
                 require(!before || inner.event_is_set(), "a scope in a stopped task is born set");
                 const bool after = returned.is_sent();
                 require(!after || (outer.event_is_set() && inner.event_is_set()),
                         "the stop reaches both scopes");
               }
             }},
            {"sets", [&] {
               set_event(parent);
               returned.send();
             }}});
  require(!detail::Forest::instance().has_children(*parent), "all scopes have left the forest");
}
TG_IN_WEAK_MEMORY(ScopeExploration, a_stop_meets_a_flow_that_makes_scopes)

TG_EXPLORATION(ScopeExploration, a_deadline_meets_the_end_of_its_scope) {
  for (int i = 0; i < 2; ++i) {
    const StopScope scope(kMillisecond);
    if (i == 1) pause();
  }
}

// The grace of a shield begins, whether it is linked before the stop or after it.
TG_EXPLORATION(ShieldExploration, a_stop_meets_a_shield) {
  hold_clock();
  const Linked parent("parent");
  together({{"cleans up",
             [&] {
               const Inside inside(*parent);
               const Shield shield(kMillisecond);
               require(thread_utils::event_aware_sleep(kHalf), "the shield holds the stop back");
               require(!thread_utils::event_aware_sleep(kHour), "the grace is over");
             }},
            {"sets", [&] { set_event(parent); }}});
}
TG_FINDS(ShieldExploration, a_stop_meets_a_shield, shield_is_marked_at_once, 100)
TG_FINDS(ShieldExploration, a_stop_meets_a_shield, shield_trusts_those_who_mark, 1000)

TG_EXPLORATION(ShieldExploration, a_stop_meets_the_end_of_a_shield) {
  const Linked parent("parent");
  together({{"cleans up",
             [&] {
               const Inside inside(*parent);
               for (int i = 0; i < 2; ++i) const Shield shield(kMillisecond);
             }},
            {"sets", [&] { set_event(parent); }}});
  pause();
}

// The function is called if and only if the stop comes before the end of the object.
TG_EXPLORATION(OnStopExploration, a_stop_meets_the_start) {
  const Linked parent("parent");
  Signal returned;
  int calls = 0;
  together({{"waits",
             [&] {
               const Inside inside(*parent);
               const OnStop on_stop([&] { ++calls; });
               returned.wait();
               require(calls == 1, "the function is called once");
             }},
            {"sets", [&] {
               set_event(parent);
               returned.send();
             }}});
}
TG_FINDS(OnStopExploration, a_stop_meets_the_start, on_stop_looks_only_before_it_links, 1000)
TG_IN_WEAK_MEMORY(OnStopExploration, a_stop_meets_the_start)

TG_EXPLORATION(OnStopExploration, a_stop_meets_the_end) {
  const Linked parent("parent");
  sim::Plain<int> runs{0};
  together({{"ends",
             [&] {
               const Inside inside(*parent);
               {
                 const OnStop on_stop([&] {
                   runs.write(1);
                   pause();
                   runs.write(0);
                 });
                 pause();
               }
               require(runs.read() == 0, "the function does not run after the destructor");
             }},
            {"sets", [&] { set_event(parent); }}});
}
TG_FINDS(OnStopExploration, a_stop_meets_the_end, on_stop_does_not_wait, 1000)
TG_IN_WEAK_MEMORY(OnStopExploration, a_stop_meets_the_end)
TG_FINDS(OnStopExploration, a_stop_meets_the_end_in_weak_memory, on_stop_publishes_nothing, 2000)

// A function that a deadline has called waits for another deadline.
TG_EXPLORATION(OnStopExploration, a_function_waits_for_a_deadline) {
  hold_clock();
  const StopScope scope(kMillisecond);
  Signal called;
  {
    const OnStop on_stop([&] {
      const StopScope inner(kMillisecond);
      require(!thread_utils::event_aware_sleep(kHour), "the second deadline comes, too");
      called.send();
    });
    require(!thread_utils::event_aware_sleep(kHour), "the deadline comes");
    called.wait();
  }
}
TG_FINDS(OnStopExploration, a_function_waits_for_a_deadline, on_stop_holds_up_the_deadlines, 20)

// A handle stops a task that has started, but is not in its scope yet.
TG_EXPLORATION(TaskScopeExploration, a_stop_meets_the_start_of_the_task) {
  detail::TaskScope scope{std::nullopt};
  Signal returned;
  bool told = false;
  together({{"runs",
             [&] {
               const auto task = [&] {
                 returned.wait();
                 require(told == thread_utils::event_is_set(), "a stop that was accepted reaches the task");
                 return TaskStatus::succeeded;
               };
               const auto refused = [](std::exception_ptr) { return TaskStatus::failed; };
               require(scope.run("task", task, refused) == TaskStatus::succeeded, "the task has run");
             }},
            {"stops", [&] {
               told = scope.set_event(Reason{});
               returned.send();
             }}});
  require(!scope.set_event(Reason{}), "a task that has ended is not stopped");
}
TG_FINDS(TaskScopeExploration, a_stop_meets_the_start_of_the_task, task_scope_forgets_an_early_stop, 200)

}  // namespace
}  // namespace scope_exploration
}  // namespace tg::test
