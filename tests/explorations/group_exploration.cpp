// SPDX-License-Identifier: Apache-2.0
// Groups with handles: claims, joins, ends, and failures.
#include <threadgroup/as_completed.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/thread_group.hpp>

#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"

namespace tg::test {
namespace group_exploration {
namespace {

// A task waits for one that it added, which another flow may take out to skip it (P7).
TG_EXPLORATION(GroupExploration, a_claim_meets_a_clear) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  int runs = 0;
  bool was_skipped = false;
  auto outer = group.add_task([&] {
    auto inner = group.add_task([&] { return ++runs; });
    try {
      return inner.get();
    } catch (const TaskSkipped&) {
      was_skipped = true;
      return 1;
    }
  });
  together({{"clears", [&] { group.clear_pending(); }}, {"waits", [&] {
                                                           try {
                                                             require(outer.get() == 1,
                                                                     "the inner task ran once");
                                                           } catch (const TaskSkipped&) {
                                                             was_skipped = true;
                                                           }
                                                         }}});
  group.join();
  require(runs + (was_skipped ? 1 : 0) == 1, "the inner task ran or was skipped");
}
TG_FINDS(GroupExploration, a_claim_meets_a_clear, pool_claims_what_is_taken, 5000)

// A task ends while one flow waits for it and another one watches it among others.
TG_EXPLORATION(GroupExploration, two_wait_for_the_same_task) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  auto task = group.add_task([] { return 7; });
  auto same = task;
  const auto watch = [&] {
    std::vector<TaskHandle<int>> tasks;
    tasks.push_back(std::move(same));
    int ended = 0;
    for (auto& each : as_completed(std::move(tasks))) ended += each.done() ? 1 : 0;
    require(ended == 1, "it ended");
  };
  together({{"gets", [&] { require(task.get() == 7, "the result"); }}, {"watches", watch}});
}
TG_FINDS(GroupExploration, two_wait_for_the_same_task, task_wakes_before_it_ends, 1000)
TG_FINDS(GroupExploration, two_wait_for_the_same_task, task_is_watched_without_second_look, 5000)
TG_IN_WEAK_MEMORY(GroupExploration, two_wait_for_the_same_task)
TG_FINDS(GroupExploration, two_wait_for_the_same_task_in_weak_memory, task_end_is_not_ordered, 400)

// Two tasks wait for each other: the wait that closes the cycle is refused, and no other one (G2).
TG_EXPLORATION(GroupExploration, one_of_two_waits_that_make_a_cycle_is_refused) {
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  TaskHandle<int> first;
  TaskHandle<int> second;
  Signal both_are_known;
  int refused = 0;
  const auto wait_for = [&](TaskHandle<int>& other) {
    both_are_known.wait();
    try {
      return other.get();
    } catch (const std::system_error&) {
      ++refused;
      return 1;
    }
  };
  first = group.add_task([&] { return wait_for(second); });
  second = group.add_task([&] { return wait_for(first); });
  both_are_known.send();
  group.join();
  require(refused == 1, "one wait was refused");
}
TG_FINDS(GroupExploration, one_of_two_waits_that_make_a_cycle_is_refused, graph_records_after_it_has_searched,
         1000)

// The tasks of a group run on the stacks of those who join, where they add more and wait for those.
TG_EXPLORATION(GroupExploration, joiners_run_tasks_that_wait_for_tasks) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  int runs = 0;
  for (int i = 0; i < 2; ++i) {
    group.post([&] {
      auto inner = group.add_task([&runs] { return ++runs; });
      static_cast<void>(inner.get());
    });
  }
  const auto join = [&] {
    group.join();
    require(runs == 2, "all tasks have ended");
  };
  together({{"joins", join}, {"joins as well", join}});
}

// A join that helps meets the event.
TG_EXPLORATION(GroupExploration, a_join_meets_the_event) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  std::vector<TaskHandle<int>> tasks;
  int runs = 0;
  for (int i = 0; i < 3; ++i) tasks.push_back(group.add_task([&runs] { return ++runs; }));
  together({{"joins", [&] { group.join(); }}, {"sets", [&] { group.set_event(); }}});
  int succeeded = 0;
  for (const auto& task : tasks) {
    require(task.done(), "each task has ended");
    succeeded += task.status() == TaskStatus::succeeded ? 1 : 0;
  }
  require(succeeded == runs, "a skipped task has not run");
}

// Two flows join while tasks add tasks.
TG_EXPLORATION(GroupExploration, two_join_while_a_task_adds_another) {
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  int runs = 0;
  group.post([&] {
    ++runs;
    group.post([&runs] { ++runs; });
  });
  const auto join = [&] {
    group.join();
    require(runs == 2, "all tasks have ended");
  };
  together({{"joins", join}, {"joins as well", join}});
}

// The group's object goes while its workers are about to leave, or have not come yet (P4).
TG_EXPLORATION(GroupExploration, a_group_ends_while_workers_come_and_leave) {
  auto group = std::make_unique<ThreadGroup>("group", GroupOptions{.max_concurrent_threads = 2});
  for (int i = 0; i < 2; ++i) group->post([] {});
  group->join();
  group.reset();
}
TG_FINDS(GroupExploration, a_group_ends_while_workers_come_and_leave, pool_worker_holds_no_reference, 500)

// Two tasks fail at the same moment: neither worker begins another task before the event is set.
TG_EXPLORATION(GroupExploration, no_task_begins_after_two_failures) {
  ThreadGroup group("group", {.max_concurrent_threads = 2, .on_failure = OnFailure::set_event});
  bool third_ran = false;
  const auto fail = [] { throw std::runtime_error("failed"); };
  group.post(fail);
  group.post(fail);
  group.post([&third_ran] { third_ran = true; });
  static_cast<void>(group.wait_idle());
  require(!third_ran, "the third task was skipped");
}
TG_FINDS(GroupExploration, no_task_begins_after_two_failures, pool_second_failure_does_not_wait, 2000)

}  // namespace
}  // namespace group_exploration
}  // namespace tg::test
