// SPDX-License-Identifier: Apache-2.0
// Groups with handles: claims, joins, ends, and failures.
#include <threadgroup/as_completed.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/thread_group.hpp>

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"

namespace tg::test {
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
  together({{"gets", [&] { require(task.get() == 7, "the result"); }}, {"is told", [&] {
                                                                          std::vector<TaskHandle<int>> tasks;
                                                                          tasks.push_back(std::move(same));
                                                                          int ended = 0;
                                                                          for (auto& each :
                                                                               as_completed(std::move(tasks)))
                                                                            ended += each.done() ? 1 : 0;
                                                                          require(ended == 1, "it ended");
                                                                        }}});
}
TG_FINDS(GroupExploration, two_wait_for_the_same_task, task_wakes_before_it_ends, 1000)
TG_FINDS(GroupExploration, two_wait_for_the_same_task, task_is_watched_without_second_look, 5000)

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
}  // namespace tg::test
