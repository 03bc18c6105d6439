// SPDX-License-Identifier: Apache-2.0
// Groups that drain, stop, and report.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg {
namespace shut_down_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr ShutdownPlan kAllTheTime{.drain = 1h, .stop = 1h};

// Calls `shut_down` on a thread of its own.
class ShuttingDown {
 public:
  explicit ShuttingDown(ThreadGroup& group, ShutdownPlan plan = kAllTheTime)
      : thread_([this, &group, plan] { report = group.shut_down(plan); }) {
    eventually([&] { return group.is_draining(); });
  }
  ~ShuttingDown() { end(); }
  void end() {
    if (thread_.joinable()) thread_.join();
  }
  ShutdownReport report;

 private:
  std::thread thread_;
};

class ShutDown : public testing::Test {
 protected:
  // A task that ends when `go` comes.
  TaskHandle<void> block(ThreadGroup& in) {
    std::latch started(1);
    auto handle = in.add_task(TaskName("blocks"), [&started, this] {
      started.count_down();
      go.wait();
    });
    started.wait();
    return handle;
  }
  std::latch go{1};
  ThreadGroup group{"work", {.max_concurrent_threads = 1}};
};

TEST_F(ShutDown, of_an_idle_group_is_over_at_once) {
  const ShutdownReport report = group.shut_down(kAllTheTime);
  EXPECT_TRUE(report.drained);
  EXPECT_TRUE(report);
  EXPECT_TRUE(group.event_is_set());
  EXPECT_EQ(group.reason()->message, "shut down");
}

TEST_F(ShutDown, runs_what_is_pending_first) {
  block(group);
  const auto pending = group.add_task([] { return 7; });
  ShuttingDown shutting_down(group);
  go.count_down();
  shutting_down.end();
  EXPECT_TRUE(shutting_down.report.drained);
  EXPECT_EQ(shutting_down.report.counts.succeeded, 2U);
  EXPECT_EQ(pending.get(), 7);
}

TEST_F(ShutDown, takes_no_task_from_outside) {
  block(group);
  ShuttingDown shutting_down(group);
  const auto refused = group.add_task([] {});
  group.post([] {});
  EXPECT_EQ(refused.status(), TaskStatus::skipped);
  ASSERT_NE(refused.reason(), std::nullopt);
  EXPECT_EQ(refused.reason()->kind, ReasonKind::draining);
  EXPECT_EQ(refused.reason()->origin_path, "MainThread/work");
  EXPECT_FALSE(group.event_is_set());
  go.count_down();
  shutting_down.end();
  EXPECT_EQ(shutting_down.report.counts.skipped, 2U);
}

TEST_F(ShutDown, takes_tasks_from_a_task_of_another_group_only_if_that_is_inside) {
  ThreadGroup parent("parent");
  ThreadGroup other("other");
  std::latch made(1);
  std::latch is_draining(1);
  auto result = parent.add_task([&] {
    ThreadGroup child("child");
    made.count_down();
    is_draining.wait();
    auto below = child.add_task([] { return 1; });                                         // from above
    auto above = child.add_task([&] { return parent.add_task([] { return 2; }).get(); });  // from below
    auto elsewhere = other.add_task([&] { return child.add_task([] {}).wait(); });
    return below.get() == 1 && above.get() == 2 && elsewhere.get() == WaitOutcome::ready &&
           child.wait_idle().counts.skipped == 1;
  });
  made.wait();
  ShuttingDown shutting_down(parent);
  is_draining.count_down();
  shutting_down.end();
  EXPECT_TRUE(result.get());
  EXPECT_TRUE(shutting_down.report.drained);
}

TEST_F(ShutDown, drains_groups_that_are_made_meanwhile) {
  ThreadGroup parent("parent");
  std::latch made(1);
  std::latch has_added(1);
  ThreadGroup* child_seen = nullptr;
  std::latch is_draining(1);
  std::latch started(1);
  parent.post([&] {
    started.count_down();
    is_draining.wait();
    ThreadGroup child("child");
    child_seen = &child;
    made.count_down();
    has_added.wait();
  });
  started.wait();
  ShuttingDown shutting_down(parent);
  is_draining.count_down();
  made.wait();
  EXPECT_TRUE(child_seen->is_draining());
  EXPECT_EQ(child_seen->add_task([] {}).status(), TaskStatus::skipped);
  has_added.count_down();
}

TEST_F(ShutDown, is_seen_by_the_tasks) {
  EXPECT_FALSE(thread_utils::is_draining());
  std::latch started(1);
  const auto accepts = group.add_task([&] {
    started.count_down();
    eventually([] { return thread_utils::is_draining(); });
    return thread_utils::event_is_set();
  });
  started.wait();
  EXPECT_TRUE(group.shut_down(kAllTheTime).drained);
  EXPECT_FALSE(accepts.get());
}

TEST_F(ShutDown, stops_what_has_not_drained_in_time) {
  ThreadGroup two("two", {.max_concurrent_threads = 1});
  std::latch started(1);
  two.add_task(TaskName("sleeps"), [&] {
    started.count_down();
    thread_utils::event_aware_sleep(1h);
    thread_utils::throw_if_event_set();
  });
  const auto pending = two.add_task([] {});
  started.wait();
  const ShutdownReport report = two.shut_down({.drain = 20ms, .stop = 1h});
  EXPECT_FALSE(report.drained);
  EXPECT_TRUE(report);
  EXPECT_GE(report.drain_took, Duration(20ms));
  EXPECT_EQ(report.counts.stopped, 1U);
  EXPECT_EQ(report.counts.skipped, 1U);
  EXPECT_EQ(report.slowest_stop->slowest_task, "sleeps");
  EXPECT_EQ(pending.reason()->kind, ReasonKind::requested);
}

TEST_F(ShutDown, without_time_to_drain_stops_at_once) {
  const auto handle = block(group);
  const auto pending = group.add_task([] {});
  std::thread releases([&] {
    eventually([&] { return group.event_is_set(); });
    go.count_down();
  });
  const ShutdownReport report = group.shut_down({.stop = 1h});
  releases.join();
  EXPECT_FALSE(report.drained);
  EXPECT_FALSE(group.is_draining());
  EXPECT_TRUE(report);
  EXPECT_EQ(handle.status(), TaskStatus::succeeded);
  EXPECT_EQ(pending.status(), TaskStatus::skipped);
}

TEST_F(ShutDown, names_the_tasks_that_run_over) {
  ThreadGroup parent("parent");
  std::latch made(1);
  parent.add_task(TaskName("outer"), [&] {
    ThreadGroup child("child");
    block(child);
    made.count_down();
    child.join();
  });
  made.wait();
  eventually([&] {  // until it waits
    const ForestSnapshot forest = ThreadEventsController::instance().snapshot();
    const NodeSnapshot* const node = forest.find(parent.id());
    return !node->running.empty() && !node->running[0].waits_for.empty();
  });
  const ShutdownReport report = parent.shut_down({.drain = 1ms, .stop = 1ms});
  EXPECT_FALSE(report);
  EXPECT_EQ(report.counts.running, 2U);
  ASSERT_EQ(report.ran_over.size(), 2U);
  EXPECT_EQ(report.ran_over[0].path, "MainThread/parent");
  EXPECT_EQ(report.ran_over[0].task.name, "outer");
  EXPECT_EQ(report.ran_over[0].task.waits_for, "group 'child' to be idle");
  EXPECT_EQ(report.ran_over[1].path, "MainThread/parent/child");
  EXPECT_EQ(report.ran_over[1].task.name, "blocks");
  EXPECT_NE(report.ran_over[1].task.added_at.line, 0U);
  go.count_down();
}

TEST_F(ShutDown, has_one_deadline_for_the_whole_tree) {
  std::vector<std::unique_ptr<ThreadGroup>> children;
  std::latch made(1);
  std::latch end(1);
  ThreadGroup parent("parent");
  parent.post([&] {
    for (int i = 0; i < 20; ++i) block(*children.emplace_back(std::make_unique<ThreadGroup>("child")));
    made.count_down();
    end.wait();
  });
  made.wait();
  const TimePoint began = now();
  const ShutdownReport report = parent.shut_down({.drain = 50ms, .stop = 50ms});
  EXPECT_LT(now() - began, Duration(1s));  // one for each would be two seconds
  EXPECT_EQ(report.ran_over.size(), 21U);
  go.count_down();
  end.count_down();
  parent.join();
  children.clear();
}

TEST_F(ShutDown, ends_its_first_stage_when_the_group_is_stopped) {
  std::latch started(1);
  group.post([&] {
    started.count_down();
    thread_utils::event_aware_sleep(1h);
  });
  started.wait();
  ShuttingDown shutting_down(group);
  group.set_event("enough");
  shutting_down.end();
  EXPECT_FALSE(shutting_down.report.drained);
  EXPECT_TRUE(shutting_down.report);
  EXPECT_EQ(group.reason()->message, "enough");
}

TEST_F(ShutDown, ends_its_first_stage_when_the_caller_is_stopped) {
  std::latch started(1);
  group.post([&] {
    started.count_down();
    thread_utils::event_aware_sleep(1h);
  });
  started.wait();
  ThreadGroup caller("caller");
  const auto report = caller.add_task([&] { return group.shut_down(kAllTheTime); });
  eventually([&] { return group.is_draining(); });
  caller.set_event();
  EXPECT_FALSE(report.get().drained);
  EXPECT_TRUE(report.get());
}

TEST_F(ShutDown, is_refused_in_a_task_of_the_group_or_below) {
  const auto refused = group.add_task([&] {
    ThreadGroup child("child");
    int count = 0;
    for (ThreadGroup* in : {&group, &child}) {
      count += in->add_task([&] {
                   try {
                     group.shut_down({});
                     return 0;
                   } catch (const std::system_error& e) {
                     return e.code() == std::errc::resource_deadlock_would_occur ? 1 : 0;
                   }
                 }).get();
    }
    return count;
  });
  EXPECT_EQ(refused.get(), 2);
  EXPECT_FALSE(group.event_is_set());
}

TEST_F(ShutDown, in_a_task_of_the_group_above_shuts_down_what_is_below) {
  const auto report = group.add_task([] {
    ThreadGroup child("child");
    child.post([] {});
    return child.shut_down(kAllTheTime);
  });
  EXPECT_TRUE(report.get().drained);
  EXPECT_FALSE(group.event_is_set());
}

TEST_F(ShutDown, by_two_callers_ends_for_both) {
  block(group);
  ShuttingDown first(group);
  ShuttingDown second(group);
  go.count_down();
  first.end();
  second.end();
  EXPECT_TRUE(first.report);
  EXPECT_TRUE(second.report);
}

TEST_F(ShutDown, of_a_part_refuses_what_the_rest_of_a_draining_tree_adds) {
  ThreadGroup parent("parent");
  std::latch made(1);
  std::latch both_drain(1);
  std::latch go_child(1);
  ThreadGroup* child_seen = nullptr;
  const auto status = parent.add_task([&] {
    ThreadGroup child("child");
    child_seen = &child;
    child.post([&] { go_child.wait(); });
    made.count_down();
    both_drain.wait();
    const TaskStatus added = child.add_task([] {}).status();  // outside the inner drain, inside the outer one
    go_child.count_down();
    child.join();
    return added;
  });
  made.wait();
  ShuttingDown outer(parent);
  {
    ShuttingDown inner(*child_seen);
    // Now the child is the top of a drain of its own.
    test::leave_time(5ms);
    both_drain.count_down();
    inner.end();
  }
  outer.end();
  EXPECT_TRUE(outer.report.drained);
  static_cast<void>(status.get());
}

// In a child process, because it stops everything.
TEST(ShutDownAll, drains_all_groups_as_one_tree_and_leaves_later_ones_alone) {
  EXPECT_EQ(test::in_child([] {
              std::latch go(1);
              std::latch started(1);
              ThreadGroup web("web");
              ThreadGroup db("db", {.daemon = true});
              const auto served = web.add_task([&] {
                started.count_down();
                go.wait();
                return db.add_task([] { return 7; }).get();  // another tree, but inside the forest
              });
              started.wait();
              ShutdownReport report;
              std::thread shuts_down(
                  [&] { report = ThreadEventsController::instance().shut_down({.drain = 1h, .stop = 1h}); });
              eventually([&] { return db.is_draining(); });
              const auto refused = db.add_task([] {});
              REQUIRE_IN_CHILD(refused.reason()->kind == ReasonKind::draining);
              ThreadGroup later("later");
              REQUIRE_IN_CHILD(!later.is_draining());
              go.count_down();
              shuts_down.join();
              REQUIRE_IN_CHILD(report.drained);
              REQUIRE_IN_CHILD(report.counts.succeeded == 2);
              REQUIRE_IN_CHILD(served.get() == 7);
              REQUIRE_IN_CHILD(web.event_is_set() && db.event_is_set());
              ThreadGroup afterwards("afterwards");
              REQUIRE_IN_CHILD(afterwards.add_task([] { return 3; }).get() == 3);
            }),
            0);
}

TEST(ShutDownAll, is_refused_in_a_task) {
  ThreadGroup group("work");
  EXPECT_THROW(group.add_task([] { ThreadEventsController::instance().shut_down({}); }).get(),
               std::system_error);
}

TEST(ShutdownReportText, says_how_it_went) {
  ShutdownReport report;
  report.drained = true;
  report.drain_took = 320ms;
  report.counts.succeeded = 12;
  report.counts.skipped = 3;
  EXPECT_EQ(report.str(), "drained in 0.32 s: 12 succeeded, 3 skipped");

  report = {};
  report.drain_took = 1s;
  report.stop_took = 10ms;
  report.counts.stopped = 4;
  EXPECT_EQ(report.str(), "not drained in 1.00 s; stopped in 0.01 s: 4 stopped");

  report = {};
  report.stop_took = 5s;
  report.counts.running = 1;
  report.counts.stopped = 3;
  report.ran_over.push_back({"MainThread/web", RunningTask{"fetch\n17", 12s, "a condition", 9900ms}});
  EXPECT_EQ(report.str(),
            "stopped, but 1 task runs on after 5.00 s: 3 stopped\n"
            "  MainThread/web: 'fetch\\n17' (for 12.0 s; waits for a condition for 9.9 s)");
}

}  // namespace
}  // namespace shut_down_test
}  // namespace tg
