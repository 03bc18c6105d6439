// SPDX-License-Identifier: Apache-2.0
// The drain of a subtree: who adds in time is served, who comes late is refused.
#include <threadgroup/abandonable.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/shutdown.hpp>
#include <threadgroup/thread_group.hpp>

#include <cstdint>
#include <memory>
#include <optional>

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"
#include "support/pools.hpp"
#include "tree/forest.hpp"

namespace tg::test {
namespace shutdown_exploration {
namespace {

constexpr ShutdownPlan kLong{.drain = Duration::max(), .stop = Duration::max()};

// What came in time has run when the drain is over, and what came later was refused. Nothing is taken and then
// skipped by the stop.
void require_run_or_refused(const TaskHandle<void>& task) {
  const std::optional<Reason> reason = task.reason();
  const bool ran = task.status() == TaskStatus::succeeded;
  require(ran || (reason && reason->kind == ReasonKind::draining), "it ran, or was refused by the drain");
}

// An add that comes between the drain and the stop is refused.
TG_EXPLORATION(ShutdownExploration, a_task_that_was_taken_runs_before_the_stop) {
  hold_clock();
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  TaskHandle<void> task;
  bool came_after_the_stop = false;
  together({{"adds",
             [&] {
               task = group.add_task([] {});
               came_after_the_stop = task.status() == TaskStatus::skipped;
             }},
            {"shuts down", [&] { static_cast<void>(group.shut_down(kLong)); }}});
  if (!came_after_the_stop) require_run_or_refused(task);
}

// The same where memory is weak: the lock of the adders orders the two.
TG_IN_WEAK_MEMORY(ShutdownExploration, a_task_that_was_taken_runs_before_the_stop)
TG_FINDS(ShutdownExploration, a_task_that_was_taken_runs_before_the_stop_in_weak_memory,
         drain_does_not_pass_the_adders, 20000)

// A group that is made in a task while the tree drains takes nothing from outside.
TG_EXPLORATION(ShutdownExploration, a_new_child_meets_a_drain) {
  hold_clock();
  ThreadGroup parent("parent", {.max_concurrent_threads = 1});
  Signal may_begin;
  parent.post([&] {
    may_begin.wait();
    const bool drained_before = parent.is_draining();
    const ThreadGroup child("child", {.max_concurrent_threads = 1});
    require(!drained_before || child.is_draining(), "a group made in a draining one drains");
  });
  together({{"begins", [&] { may_begin.send(); }},
            {"shuts down", [&] { require(parent.shut_down(kLong).drained, "it drains"); }}});
}
TG_FINDS(ShutdownExploration, a_new_child_meets_a_drain, drain_child_is_born_open, 5000)

// A task hops from group to group: the tree is never quiet before the last one has ended.
TG_EXPLORATION(ShutdownExploration, tasks_hop_between_groups_that_drain) {
  hold_clock();
  ThreadGroup parent("parent", {.max_concurrent_threads = 1});
  std::unique_ptr<ThreadGroup> child;
  int hops = 0;
  Signal may_begin;
  parent.post([&] {
    child = std::make_unique<ThreadGroup>("child", GroupOptions{.max_concurrent_threads = 1});
    may_begin.wait();
    child->post([&] {
      ++hops;
      parent.post([&] { ++hops; });
    });
    ++hops;
  });
  together({{"shuts down",
             [&] {
               const ShutdownReport report = parent.shut_down(kLong);
               require(report.drained, "it drains");
               require(hops == 3, "all hops were made");
             }},
            {"begins", [&] { may_begin.send(); }}});
}

// T6: once the drain has begun, no task from outside is taken that was not counted before.
TG_EXPLORATION(ShutdownExploration, an_add_meets_the_begin_of_a_drain) {
  hold_clock();
  LinkedPool pool(1);
  ProbeTask task;
  std::uint64_t counted = 0;
  together({{"adds", [&] { pool->add(task); }},
            {"drains", [&] {
               const auto reason = detail::ReasonPointer::adopt(new detail::SharedReason(Reason{}));
               detail::Forest::instance().begin_draining(&pool.node(), reason);
               counted = pool->statistics().total();
             }}});
  pool.wait();
  require(task.ends() == 1, "it ended once");
  require(task.runs == 0 || counted == 1, "what runs was counted when the drain had begun");
}
TG_FINDS(ShutdownExploration, an_add_meets_the_begin_of_a_drain, drain_adder_looks_too_early, 2000)

// T8: a task hops to a group that was looked at already.
TG_EXPLORATION(ShutdownExploration, a_task_hops_while_a_flow_looks) {
  hold_clock();
  ProbeTask last;
  LinkedPool* to = nullptr;
  ProbeTask hops([&] { (*to)->add(last); });
  LinkedPool first(1);  // after the tasks, which it may still have to run
  LinkedPool second(1);
  to = &first;
  second->add(hops);
  together({{"looks", [&] {
               if (detail::Forest::instance().is_quiet(nullptr))
                 require(last.runs == 1, "nothing was left to do");
             }}});
}
TG_FINDS(ShutdownExploration, a_task_hops_while_a_flow_looks, drain_looks_once, 10000)

// T8: a task below a call adds to the group that drains, as the call is left behind.
TG_EXPLORATION(ShutdownExploration, a_call_that_is_left_behind_meets_a_drain) {
  hold_clock();
  struct Parts {
    ThreadGroup& group;
    StopScope& scope;
    TaskHandle<void>& added;
    bool& was_refused;  // by the drain or after the stop
  };
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  TaskHandle<void> added;
  bool was_refused = false;
  group.post([&] {
    StopScope scope;
    try {
      abandonable(
          TaskName("call"),
          [](Parts parts) {
            ThreadGroup own("own", {.max_concurrent_threads = 1});
            own.post([parts] {
              parts.scope.set_event();
              parts.added = parts.group.add_task([] {});
              parts.was_refused = parts.added.status() == TaskStatus::skipped;
            });
            own.join();
          },
          Parts{group, scope, added, was_refused});
    } catch (const Stopped&) {
    }
  });
  require(group.shut_down(kLong).drained, "it drains");
  pause();  // until the call has ended
  if (!was_refused) require_run_or_refused(added);
}
TG_FINDS(ShutdownExploration, a_call_that_is_left_behind_meets_a_drain, drain_trusts_what_may_be_left, 5000)

}  // namespace
}  // namespace shutdown_exploration
}  // namespace tg::test
