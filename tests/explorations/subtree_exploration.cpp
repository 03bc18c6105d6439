// SPDX-License-Identifier: Apache-2.0
// Groups that share the permits of a bound above them.
#include <threadgroup/thread_group.hpp>

#include <memory>

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"
#include "tree/subtree_bound.hpp"
#include "tree/task_context.hpp"

namespace tg::test {
namespace subtree_exploration {
namespace {

using detail::Atomic;

// Counts the tasks that run at a time. Each passes a point in between.
class Running {
 public:
  explicit Running(int most) : most_(most) {}
  void enter() { require(running_.fetch_add(1) < most_, "no more tasks run than the bound allows"); }
  void leave() { running_.fetch_sub(1); }
  void pass() {
    enter();
    leave();
  }

 private:
  const int most_;
  Atomic<int> running_{0};
};

// A task makes a group below, and waits for it.
void add_and_join(ThreadGroup& top, Running& running, int tasks) {
  top.post([&running, tasks] {
    ThreadGroup below("below", {.max_concurrent_threads = 2});
    for (int i = 0; i < tasks; ++i) below.post([&running] { running.pass(); });
    below.join();
  });
}

// Two groups below one with a single permit (D3, P3).
TG_EXPLORATION(SubtreeExploration, two_groups_share_one_permit) {
  Running running(1);
  ThreadGroup top("top", {.max_concurrent_threads = 2, .max_concurrent_in_subtree = 1});
  for (int i = 0; i < 2; ++i) add_and_join(top, running, 2);
  require(top.join().all_succeeded(), "each task ran");
}
TG_FINDS(SubtreeExploration, two_groups_share_one_permit, subtree_task_begins_without_permit, 1000)

// Tasks of two groups that exist before, added by two flows (P3, P5, D1).
TG_EXPLORATION(SubtreeExploration, two_flows_add_to_two_groups) {
  Running running(1);
  std::unique_ptr<ThreadGroup> one;
  std::unique_ptr<ThreadGroup> another;
  ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
  top.post([&] {
    one = std::make_unique<ThreadGroup>("one", GroupOptions{.max_concurrent_threads = 1});
    another = std::make_unique<ThreadGroup>("another", GroupOptions{.max_concurrent_threads = 2});
  });
  top.join();
  const auto pass = [&] { running.pass(); };
  together({{"adds to one",
             [&] {
               one->post(pass);
               one->post(pass);
             }},
            {"adds to another", [&] {
               another->post(pass);
               another->join();
             }}});
  one->join();
  require(one->statistics().succeeded == 2 && another->statistics().succeeded == 1, "each task ran once");
  another.reset();
  one.reset();
}

// Each of two groups has a bound of its own below a common one (D3).
TG_EXPLORATION(SubtreeExploration, nested_bounds_hold_together) {
  Running outer(1);
  ThreadGroup top("top", {.max_concurrent_threads = 2, .max_concurrent_in_subtree = 1});
  for (int i = 0; i < 2; ++i) {
    top.post([&] {
      ThreadGroup middle("middle", {.max_concurrent_threads = 2, .max_concurrent_in_subtree = 1});
      for (int k = 0; k < 2; ++k) middle.post([&] { outer.pass(); });
      middle.join();
    });
  }
  require(top.join().all_succeeded(), "each task ran");
}
TG_FINDS(SubtreeExploration, nested_bounds_hold_together, subtree_outer_bound_is_forgotten, 1000)

// The first group in the queue is stopped or cleared as the permit comes: the next one gets the permit (D2, P3).
TG_EXPLORATION(SubtreeExploration, a_promise_meets_a_group_that_is_cleared) {
  Running running(1);
  std::unique_ptr<ThreadGroup> cleared;
  std::unique_ptr<ThreadGroup> next;
  Signal runs;
  Signal go;
  ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
  top.post([&] {
    cleared = std::make_unique<ThreadGroup>("cleared");
    next = std::make_unique<ThreadGroup>("next");
    runs.send();
    go.wait();
  });
  runs.wait();
  cleared->post([&] { running.pass(); });
  next->post([&] { running.pass(); });
  together({{"ends", [&] { go.send(); }}, {"clears", [&] { cleared->clear_pending(); }}});
  static_cast<void>(next->wait_idle(Duration::max()));  // it runs no task itself
  static_cast<void>(cleared->wait_idle(Duration::max()));
  top.join();
  next.reset();
  cleared.reset();
}
TG_FINDS(SubtreeExploration, a_promise_meets_a_group_that_is_cleared, subtree_useless_claim_stays, 2000)

// The only task of a group is skipped, and the group ends as the permit for that task comes: D5.
TG_EXPLORATION(SubtreeExploration, a_promise_meets_a_group_that_ends) {
  std::unique_ptr<ThreadGroup> ends;
  Signal runs;
  Signal go;
  ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
  top.post([&] {
    ends = std::make_unique<ThreadGroup>("ends");
    runs.send();
    go.wait();
  });
  runs.wait();
  const auto task = ends->add_task([] {});
  require(task.set_event(), "the task waits for the permit");
  together({{"frees the permit", [&] { go.send(); }}, {"ends the group", [&] { ends.reset(); }}});
  require(top.join().all_succeeded(), "its task ran");
  top.post([] {});
  require(top.join().all_succeeded(), "the permit is not lost");
}
TG_FINDS(SubtreeExploration, a_promise_meets_a_group_that_ends, subtree_claim_outlives_its_group, 1000)

// A group is stopped from above while a flow adds a task to it and then ends it: D5.
TG_EXPLORATION(SubtreeExploration, a_stopped_group_that_has_ended_waits_for_no_permit) {
  std::unique_ptr<ThreadGroup> above;
  std::unique_ptr<ThreadGroup> ends;
  detail::SubtreeBound* bound = nullptr;
  Signal runs;
  Signal go;
  ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
  top.post([&] {
    above = std::make_unique<ThreadGroup>("above");
    bound = detail::TaskContext::current()->node->subtree_bound();
  });
  top.join();
  above->post([&] { ends = std::make_unique<ThreadGroup>("ends"); });
  above->join();
  top.post([&] {
    runs.send();
    go.wait();
  });
  runs.wait();
  together({{"stops", [&] { above->set_event(); }}, {"adds and ends the group", [&] {
                                                       ends->post([] {});
                                                       ends.reset();
                                                       require(bound->permits().waiting() == 0,
                                                               "no claim waits for a group that has ended");
                                                     }}});
  go.send();
  require(top.join().all_succeeded(), "its task ran");
  top.post([] {});
  require(top.join().all_succeeded(), "the permit is not lost");
  above.reset();
}
TG_FINDS(SubtreeExploration, a_stopped_group_that_has_ended_waits_for_no_permit,
         subtree_destructor_trusts_the_stop, 20000)

// A task lends its permit, and takes it back in its turn.
TG_EXPLORATION(SubtreeExploration, a_lender_takes_its_permit_back) {
  Running running(1);
  ThreadGroup elsewhere("elsewhere");
  ThreadGroup top("top", {.max_concurrent_threads = 2, .max_concurrent_in_subtree = 1});
  for (int i = 0; i < 2; ++i) {
    top.post([&] {
      running.pass();
      elsewhere.post([] {});
      static_cast<void>(elsewhere.wait_idle(Duration::max()));
      running.pass();
    });
  }
  require(top.join().all_succeeded(), "each task ran");
}

// A stop meets lenders and groups that wait for permits: nothing is lost, and the bound holds afterwards.
TG_EXPLORATION(SubtreeExploration, a_stop_meets_those_who_wait_for_permits) {
  Running running(1);
  std::unique_ptr<ThreadGroup> stopped;
  std::unique_ptr<ThreadGroup> other;
  ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
  top.post([&] {
    stopped = std::make_unique<ThreadGroup>("stopped");
    other = std::make_unique<ThreadGroup>("other");
  });
  top.join();
  stopped->post([&] {
    ThreadGroup below("below");
    below.post([] {});
    static_cast<void>(below.wait_idle(Duration::max()));
  });
  other->post([] {});
  together({{"stops", [&] { stopped->set_event(); }}, {"adds", [&] { other->post([] {}); }}});
  stopped->join();
  other->join();
  for (int i = 0; i < 2; ++i) other->post([&] { running.pass(); });
  other->join();
  require(other->statistics().succeeded == 4, "each of its tasks ran");
  other.reset();
  stopped.reset();
}

}  // namespace
}  // namespace subtree_exploration
}  // namespace tg::test
