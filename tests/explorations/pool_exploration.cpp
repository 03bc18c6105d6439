// SPDX-License-Identifier: Apache-2.0
// Adding, serving and leaving; local queues and theft; lending; and threads that cannot be made.
#include <array>
#include <deque>
#include <system_error>

#include "pool/pool.hpp"
#include "runtime/faults.hpp"

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"
#include "support/pools.hpp"

namespace tg::test {
namespace pool_exploration {
namespace {

// While the last worker leaves, a task comes: the last one, so that no later one brings a worker for it (P5).
TG_EXPLORATION(PoolExploration, an_add_meets_a_worker_that_leaves) {
  std::array<ProbeTask, 2> tasks;
  LinkedPool pool(1);
  pool->add(tasks[0]);
  pool->add(tasks[1]);
  pool.wait();
  for (const ProbeTask& task : tasks) require(task.runs == 1, "each task ran once");
}
TG_FINDS(PoolExploration, an_add_meets_a_worker_that_leaves, pool_leaves_without_second_look, 10000)
TG_FINDS(PoolExploration, an_add_meets_a_worker_that_leaves, pool_adder_looks_too_early, 2000)

TG_EXPLORATION(PoolExploration, adds_come_from_two_sides) {
  std::array<ProbeTask, 3> tasks;
  LinkedPool pool(1);
  together({{"adds two",
             [&] {
               pool->add(tasks[0]);
               pool->add(tasks[1]);
             }},
            {"adds one", [&] { pool->add(tasks[2]); }}});
  pool.wait();
  for (const ProbeTask& task : tasks) require(task.runs == 1, "each task ran once");
}

// As many tasks as slots wait for each other: none may stay pending (P3).
TG_EXPLORATION(PoolExploration, tasks_that_fill_the_bound_all_run) {
  Meeting meeting(3);
  std::array<ProbeTask, 3> tasks{ProbeTask([&] { meeting.join(); }), ProbeTask([&] { meeting.join(); }),
                                 ProbeTask([&] { meeting.join(); })};
  LinkedPool pool(3);
  together({{"adds two",
             [&] {
               pool->add(tasks[0]);
               pool->add(tasks[1]);
             }},
            {"adds one", [&] { pool->add(tasks[2]); }}});
  pool.wait();
}
TG_FINDS(PoolExploration, tasks_that_fill_the_bound_all_run, pool_starts_no_next_worker, 500)

// Threads have to be made for all of them: a worker that comes takes over from the one that made it.
TG_EXPLORATION(PoolExploration, workers_make_the_threads_of_others) {
  constexpr int kTasks = 6;
  Meeting meeting(kTasks);
  std::deque<ProbeTask> tasks;
  LinkedPool pool(kTasks);
  for (int i = 0; i < kTasks; ++i) pool->add(tasks.emplace_back([&] { meeting.join(); }));
  pool.wait();
  require(pool->statistics().succeeded == kTasks, "all tasks ran together");
}
TG_FINDS(PoolExploration, workers_make_the_threads_of_others, pool_taker_reserves_nothing, 5000)

// What a task adds is stolen while it adds more, and starts in order all the same (P6, L1).
TG_EXPLORATION(PoolExploration, stolen_tasks_start_in_order) {
  LinkedPool pool(2);
  ProbeTask last([&] { require(pool->statistics().pending == 0, "the last one to be added starts last"); });
  std::array<ProbeTask, 2> first;
  ProbeTask adder([&] {
    pool->add(first[0]);
    pool->add(first[1]);
    pool->add(last);
  });
  pool->add(adder);
  pool.wait();
  require(last.runs == 1 && first[0].runs == 1 && first[1].runs == 1, "each task ran once");
}
TG_FINDS(PoolExploration, stolen_tasks_start_in_order, pool_local_ones_overtake, 8000)

// With one slot: a task lends it, and takes it back before the next one begins (C1, C2). The helper ends when
// the lender waits for the slot.
TG_EXPLORATION(PoolExploration, a_lender_comes_before_pending_tasks) {
  hold_clock();
  LinkedPool pool(1);
  Signal helper_is_done;
  Signal lender_is_done;
  int active = 0;
  const auto enter = [&active] { require(++active == 1, "one task runs at a time"); };
  ProbeTask lender([&] {
    enter();
    --active;
    pool.node().lend_slot();
    helper_is_done.wait();
    pool.node().reclaim_slot();
    enter();
    --active;
    lender_is_done.send();
  });
  ProbeTask helper([&] {
    enter();
    helper_is_done.send();
    pause();
    --active;
  });
  ProbeTask last([&] { lender_is_done.wait(); });
  pool->add(lender);
  pool->add(helper);
  pool->add(last);
  pool.wait();
}
TG_FINDS(PoolExploration, a_lender_comes_before_pending_tasks, slots_worker_ignores_lender, 1000)
TG_FINDS(PoolExploration, a_lender_comes_before_pending_tasks, slots_lender_is_not_woken, 1000)

// Tasks are added and run while the event is set: each ends once, and none runs that was skipped.
TG_EXPLORATION(PoolExploration, each_task_ends_once_when_the_event_is_set) {
  std::array<ProbeTask, 3> tasks;
  LinkedPool pool(2);
  together({{"adds two",
             [&] {
               pool->add(tasks[0]);
               pool->add(tasks[1]);
             }},
            {"adds one", [&] { pool->add(tasks[2]); }},
            {"setter", [&] { pool.set_event(); }}});
  pool.wait();
  for (const ProbeTask& task : tasks) require(task.ends() == 1, "each task ran or was skipped, once");
  const GroupStatistics counts = pool->statistics();
  require(counts.pending == 0 && counts.running == 0 && counts.succeeded + counts.skipped == 3,
          "the counts add up");
}

// The system refuses threads for a while: tasks that need each other run in the end (S1).
TG_EXPLORATION(PoolExploration, a_refused_thread_comes_later) {
  Meeting meeting(2);
  std::array<ProbeTask, 2> tasks{ProbeTask([&] { meeting.join(); }), ProbeTask([&] { meeting.join(); })};
  LinkedPool pool(2);
  pool->add(tasks[0]);
  runtime::faults::refuse_threads(2);
  together({{"adds", [&] {
               try {
                 pool->add(tasks[1]);
               } catch (const std::system_error&) {  // no worker at all, so the task is still ours
                 require(tasks[0].runs == 1, "there was a worker");
               }
             }}});
  pool.wait();
  runtime::faults::refuse_threads(0);
}
TG_FINDS(PoolExploration, a_refused_thread_comes_later, supply_makes_no_request, 1000)

// The system has no more threads, but one of another pool becomes free.
TG_EXPLORATION(PoolExploration, a_free_thread_takes_the_job_that_waits) {
  hold_clock();  // or the free thread might end before the job waits
  Meeting both_run(3);
  Meeting meeting(2);
  Signal go;
  ProbeTask holder([&] {
    both_run.join();
    go.wait();
  });
  std::array<ProbeTask, 2> tasks{ProbeTask([&] {
                                   both_run.join();
                                   meeting.join();
                                 }),
                                 ProbeTask([&] { meeting.join(); })};
  LinkedPool other(1);
  LinkedPool pool(2);
  other->add(holder);
  pool->add(tasks[0]);
  both_run.join();
  runtime::faults::refuse_threads(1'000'000);
  together({{"adds", [&] { pool->add(tasks[1]); }}, {"frees", [&] { go.send(); }}});
  pool.wait();
  runtime::faults::refuse_threads(0);
}

// Tasks of three groups wait for each other: each gets a thread (A1).
TG_EXPLORATION(PoolExploration, three_groups_want_a_thread_each) {
  Meeting meeting(3);
  const auto join = [&] { meeting.join(); };
  std::array<ProbeTask, 3> tasks{ProbeTask(join), ProbeTask(join), ProbeTask(join)};
  LinkedPool first(1);
  LinkedPool second(1);
  LinkedPool third(1);
  together({{"adds two",
             [&] {
               first->add(tasks[0]);
               second->add(tasks[1]);
             }},
            {"adds one", [&] { third->add(tasks[2]); }}});
}
TG_FINDS(PoolExploration, three_groups_want_a_thread_each, cache_sends_no_next_thread, 500)

// A thread comes for a request that was served already, and leaves as the next request is made (A1).
TG_EXPLORATION(PoolExploration, a_thread_that_came_needlessly_meets_a_request) {
  std::array<ProbeTask, 2> tasks;
  LinkedPool pool(1);
  pool->add(tasks[0]);
  pool.wait();
  LinkedPool other(1);
  together({{"adds", [&] { pool->add(tasks[1]); }}, {"clears", [&] { pool->skip_pending({}); }}});
}

}  // namespace
}  // namespace pool_exploration
}  // namespace tg::test
