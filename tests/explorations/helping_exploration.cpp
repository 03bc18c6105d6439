// SPDX-License-Identifier: Apache-2.0
// Flows that join serve the queue themselves, beside the workers that come.
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include <array>
#include <memory>

#include "pool/pool.hpp"

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"
#include "support/pools.hpp"

namespace tg::test {
namespace helping_exploration {
namespace {

using detail::Atomic;

// Counts the tasks that run at a time. Each passes a point in between.
class Running {
 public:
  explicit Running(int most) : most_(most) {}
  void pass() {
    require(running_.fetch_add(1) < most_, "no more tasks run than the bound allows");
    running_.fetch_sub(1);
  }

 private:
  const int most_;
  Atomic<int> running_{0};
};

void help(LinkedPool& pool) {
  GroupStatistics counts;
  if (pool->help(counts)) require(counts.idle(), "these are the counts of the moment when it was idle");
  pool.wait();
}

// The slot is free, or a worker's that has no thread yet, or a thread has it already (C1, P3).
TG_EXPLORATION(HelpingExploration, a_join_meets_the_worker_that_was_requested) {
  LinkedPool pool(1);
  Running running(1);
  const auto pass = [&] { running.pass(); };
  std::array<ProbeTask, 3> tasks{ProbeTask(pass), ProbeTask(pass), ProbeTask(pass)};
  pool->add(tasks[0]);
  together({{"joins", [&] { help(pool); }}, {"adds", [&] {
                                               pool->add(tasks[1]);
                                               pool->add(tasks[2]);
                                             }}});
  pool.wait();
  for (const ProbeTask& task : tasks) require(task.runs == 1, "each task ran once");
  require(pool->statistics().succeeded == 3, "each is counted once");
}
TG_FINDS(HelpingExploration, a_join_meets_the_worker_that_was_requested, pool_helper_takes_any_slot, 500)
TG_FINDS(HelpingExploration, a_join_meets_the_worker_that_was_requested, pool_withdrawn_worker_still_counts,
         1000)
TG_FINDS(HelpingExploration, a_join_meets_the_worker_that_was_requested, cache_withdraws_what_is_taken, 2000)

// The joiner finds nothing and leaves while the last task comes (P5).
TG_EXPLORATION(HelpingExploration, two_join_while_the_last_task_comes) {
  LinkedPool pool(2);
  Running running(2);
  const auto pass = [&] { running.pass(); };
  std::array<ProbeTask, 3> tasks{ProbeTask(pass), ProbeTask(pass), ProbeTask(pass)};
  pool->add(tasks[0]);
  together({{"joins", [&] { help(pool); }}, {"joins as well", [&] { help(pool); }}, {"adds", [&] {
                                                                                       pool->add(tasks[1]);
                                                                                       pool->add(tasks[2]);
                                                                                     }}});
  pool.wait();
  for (const ProbeTask& task : tasks) require(task.runs == 1, "each task ran once");
}
TG_FINDS(HelpingExploration, two_join_while_the_last_task_comes, pool_leaves_without_second_look, 10000)
TG_FINDS(HelpingExploration, two_join_while_the_last_task_comes, pool_joiner_looks_twice, 5000)

// A flow that joins again leaves the worker that was requested. It comes for the last task, at any moment, or
// the next join needs its slot (P3, C1, S1).
TG_EXPLORATION(HelpingExploration, a_worker_that_was_left_comes_during_the_next_joins) {
  LinkedPool pool(1);
  Running running(1);
  const auto pass = [&] { running.pass(); };
  std::array<ProbeTask, 4> tasks{ProbeTask(pass), ProbeTask(pass), ProbeTask(pass), ProbeTask(pass)};
  for (ProbeTask& task : tasks) {
    pool->add(task);
    if (&task != &tasks.back()) help(pool);
  }
  pool.wait();
  require(pool->statistics().succeeded == 4, "each is counted once");
}
TG_FINDS(HelpingExploration, a_worker_that_was_left_comes_during_the_next_joins,
         pool_helper_trusts_that_one_comes, 500)

// The group's object goes while the worker that was left is on its way (P4).
TG_EXPLORATION(HelpingExploration, a_worker_that_was_left_meets_the_end_of_the_group) {
  int runs = 0;
  for (int i = 0; i < 2; ++i) {
    ThreadGroup group("group", {.max_concurrent_threads = 2});
    for (int round = 0; round < 2; ++round) {
      group.post([&runs] { ++runs; });
      group.join();
    }
  }
  require(runs == 4, "each task ran once");
}

// Tasks on the stacks of a joiner and of workers wait for each other (P3).
TG_EXPLORATION(HelpingExploration, a_task_on_the_joiners_stack_meets_two_others) {
  LinkedPool pool(3);
  Meeting meeting(3);
  const auto join = [&] { meeting.join(); };
  std::array<ProbeTask, 3> tasks{ProbeTask(join), ProbeTask(join), ProbeTask(join)};
  for (ProbeTask& task : tasks) pool->add(task);
  help(pool);
}
TG_FINDS(HelpingExploration, a_task_on_the_joiners_stack_meets_two_others, pool_starts_no_next_worker, 500)

// A lender that wants its slot back comes before the task that a joiner would begin (C2). The helper ends
// when the lender waits for the slot.
TG_EXPLORATION(HelpingExploration, a_lender_comes_before_a_join) {
  hold_clock();
  LinkedPool pool(1);
  Running running(1);
  Signal helper_is_done;
  Signal lender_is_done;
  ProbeTask lender([&] {
    running.pass();
    pool.node().lend_slot();
    helper_is_done.wait();
    pool.node().reclaim_slot();
    running.pass();
    lender_is_done.send();
  });
  ProbeTask helper([&] {
    helper_is_done.send();
    pause();
    running.pass();
  });
  ProbeTask last([&] { lender_is_done.wait(); });
  pool->add(lender);
  pool->add(helper);
  pool->add(last);
  together({{"joins", [&] { help(pool); }}, {"joins as well", [&] { help(pool); }}});
}
TG_FINDS(HelpingExploration, a_lender_comes_before_a_join, slots_worker_ignores_lender, 1000)

// A thread comes for a request that a join has withdrawn; then the next request comes (A1).
TG_EXPLORATION(HelpingExploration, a_join_takes_the_task_before_the_thread_comes) {
  LinkedPool first(1);
  LinkedPool second(1);
  std::array<ProbeTask, 2> tasks;
  first->add(tasks[0]);
  GroupStatistics counts;
  first->help(counts);
  second->add(tasks[1]);
  second.wait();
  first.wait();
}
TG_FINDS(HelpingExploration, a_join_takes_the_task_before_the_thread_comes,
         cache_needless_thread_keeps_coming, 500)

// The event is set while a join runs one task and others are pending.
TG_EXPLORATION(HelpingExploration, a_stop_meets_a_join) {
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  for (int i = 0; i < 3; ++i) {
    group.post([] { static_cast<void>(thread_utils::event_aware_sleep(Duration::max())); });
  }
  together({{"joins", [&] { group.join(); }}, {"stops", [&] { group.set_event("enough"); }}});
  const GroupStatistics counts = group.statistics();
  require(counts.idle() && counts.total() == 3, "each task is counted once");
}

// A task joins a group below its own, and what it runs there waits for others of that group.
TG_EXPLORATION(HelpingExploration, a_join_in_a_task_runs_tasks_that_wait) {
  ThreadGroup above("above", {.max_concurrent_threads = 1});
  int sum = 0;
  above.post([&] {
    ThreadGroup below("below", {.max_concurrent_threads = 2});
    below.post([&] { sum += below.add_task([] { return 1; }).get(); });
    below.post([&] { sum += below.add_task([] { return 2; }).get(); });
    below.join();
  });
  above.join();
  require(sum == 3, "all tasks have run");
}

// A flow outside of any task waits for a task and runs it, while its group is destroyed or cleared.
TG_EXPLORATION(HelpingExploration, a_get_meets_the_end_of_the_group) {
  auto group = std::make_unique<ThreadGroup>("group", GroupOptions{.max_concurrent_threads = 1});
  int runs = 0;
  const auto task = group->add_task([&runs] { ++runs; });
  together({{"waits", [&] { static_cast<void>(task.wait()); }}, {"ends", [&] { group.reset(); }}});
  require(task.done() && runs == (task.status() == TaskStatus::succeeded ? 1 : 0), "it ran or was skipped");
}
TG_FINDS(HelpingExploration, a_get_meets_the_end_of_the_group, task_helper_holds_no_group, 10000)

TG_EXPLORATION(HelpingExploration, a_get_meets_a_clear) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  int runs = 0;
  const auto task = group.add_task([&runs] { ++runs; });
  together({{"waits", [&] { static_cast<void>(task.wait()); }}, {"clears", [&] { group.clear_pending(); }}});
  require(task.done() && runs == (task.status() == TaskStatus::succeeded ? 1 : 0), "it ran or was skipped");
  group.join();
}

// The flow that waits takes the slot of the worker that was requested; what it leaves behind gets another one
// (C1, P3).
TG_EXPLORATION(HelpingExploration, two_get_while_others_are_pending) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  Running running(1);
  Signal all_ran;
  Atomic<int> left{3};
  const auto pass = [&] {
    running.pass();
    if (left.fetch_sub(1) == 1) all_ran.send();
  };
  group.post(pass);
  const auto second = group.add_task(pass);
  const auto third = group.add_task(pass);
  together({{"waits", [&] { static_cast<void>(third.wait()); }},
            {"waits as well", [&] { static_cast<void>(second.wait()); }}});
  all_ran.wait();  // not a join, which would run what was forgotten
}
TG_FINDS(HelpingExploration, two_get_while_others_are_pending, pool_helper_leaves_tasks_behind, 5000)

// Two flows wait for tasks that are not the next ones: none starts before those that were added earlier (P6).
TG_EXPLORATION(HelpingExploration, tasks_start_in_order_while_the_last_is_waited_for) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  int begun = 0;
  group.post([&] { require(begun++ == 0, "the first one starts first"); });
  const auto second = group.add_task([&] { require(begun++ == 1, "the second one is second"); });
  const auto third = group.add_task([&] { require(begun++ == 2, "the third one is last"); });
  const auto wait_for = [](const TaskHandle<void>& task) {
    static_cast<void>(task.wait());
    require(task.done(), "a wait returns when the task has ended");
  };
  together({{"waits for the last", [&] { wait_for(third); }},
            {"waits for the second", [&] { wait_for(second); }}});
}
TG_FINDS(HelpingExploration, tasks_start_in_order_while_the_last_is_waited_for, pool_helper_runs_another_task,
         500)

// Each task runs, is stopped or is skipped, and is counted once.
TG_EXPLORATION(HelpingExploration, a_stop_meets_two_that_get) {
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  const auto first = group.add_task([] {});
  const auto second = group.add_task([] {});
  together({{"waits", [&] { static_cast<void>(first.wait()); }},
            {"waits as well", [&] { static_cast<void>(second.wait()); }},
            {"stops", [&] { group.set_event("enough"); }}});
  require(first.done() && second.done(), "nothing else ends such a wait");
  static_cast<void>(group.wait_idle());
  const GroupStatistics counts = group.statistics();
  require(counts.total() == 2 && counts.done() == 2, "each is counted once");
}

// A task that runs on the stack of the one that waits for it closes a cycle (G3).
TG_EXPLORATION(HelpingExploration, a_cycle_through_a_task_that_is_run_by_its_waiter_is_refused) {
  ThreadGroup above("above", {.max_concurrent_threads = 2});
  ThreadGroup other("other", {.max_concurrent_threads = 1});
  Signal all_added;
  TaskHandle<int> first;
  TaskHandle<int> second;
  first = above.add_task([&] {
    all_added.wait();
    ThreadGroup below("below", {.max_concurrent_threads = 1});
    return below.add_task([&] { return second.get(); }).get();
  });
  second = other.add_task([&] {
    all_added.wait();
    return first.get();
  });
  all_added.send();
  static_cast<void>(first.wait());
  static_cast<void>(second.wait());
  require(first.status() == TaskStatus::failed && second.status() == TaskStatus::failed,
          "one of the waits was refused, and the others have got its exception");
  static_cast<void>(above.wait_idle());
  static_cast<void>(other.wait_idle());
}
TG_FINDS(HelpingExploration, a_cycle_through_a_task_that_is_run_by_its_waiter_is_refused,
         graph_forgets_the_waits_below, 500)

// The group's object goes in one of its tasks, which a flow that waits may run (P4).
TG_EXPLORATION(HelpingExploration, a_task_that_destroys_its_group_is_waited_for) {
  auto group = std::make_unique<ThreadGroup>("group", GroupOptions{.max_concurrent_threads = 2});
  Signal all_added;
  const auto first = group->add_task([] {});
  const auto ends = group->add_task([&] {
    all_added.wait();  // no flow may use the object while it goes
    detail::destroy_where_it_falls(group.release());
  });
  all_added.send();
  together({{"waits", [&] { static_cast<void>(first.wait()); }},
            {"waits as well", [&] { static_cast<void>(ends.wait()); }}});
  require(first.done() && ends.done(), "both have ended");
}

}  // namespace
}  // namespace helping_exploration
}  // namespace tg::test
