// SPDX-License-Identifier: Apache-2.0
// Calls and the groups around them: what a call may do with its caller's groups, and what waits for groups that a call
// has made.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include <threadgroup/threadgroup.hpp>

#include "abandon/gate.hpp"
#include "base/sanitizers.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg::test {
namespace calls_and_groups_test {
namespace {

using namespace std::chrono_literals;

using CallsAndGroups = NoCallLeft;

// The compiler does not see the reference. The tests keep the group for as long as the call runs.
struct GroupOfTest {
  ThreadGroup& group;
};

// --- The caller's groups ---

TEST_F(CallsAndGroups, call_uses_groups_of_its_own_while_the_callers_group_drains) {
  const auto gate = new_gate();
  ThreadGroup group("group");
  const auto task = group.add_task([&] {
    return abandonable(
        [](const SharedGate& g) {
          pass(g);
          ThreadGroup own("own");
          const StopScope scope;
          return own.add_task([&] { return own.add_task([] { return 3; }).get(); }).get();
        },
        gate);
  });
  gate->has_begun.acquire();
  ShutdownReport report;
  std::thread drains([&] { report = group.shut_down({.drain = 1h, .stop = 1h}); });
  eventually([&] { return group.is_draining(); });
  gate->may_end.release();
  EXPECT_EQ(task.wait(), WaitOutcome::ready);
  drains.join();
  EXPECT_EQ(task.get(), 3);
  EXPECT_TRUE(report.drained);
}

TEST_F(CallsAndGroups, call_is_outside_of_the_drain_of_its_callers_group) {
  const auto gate = new_gate();
  ThreadGroup group("group");
  const auto task = group.add_task([&] {
    return abandonable(
        [](const SharedGate& g, GroupOfTest callers) {
          pass(g);
          return callers.group.add_task([] {}).status();
        },
        gate, GroupOfTest{group});
  });
  gate->has_begun.acquire();
  std::thread drains([&] { group.shut_down({.drain = 1h, .stop = 1h}); });
  eventually([&] { return group.is_draining(); });
  gate->may_end.release();
  EXPECT_EQ(task.get(), TaskStatus::skipped);
  drains.join();
}

TEST_F(CallsAndGroups, call_that_no_task_waits_for_is_outside_of_a_drain) {
  const auto gate = new_gate();
  const auto status = std::make_shared<std::atomic<TaskStatus>>(TaskStatus::pending);
  ThreadGroup group("group");
  std::thread attached([&] {
    const Attached to_group(group);
    abandonable(
        [](const SharedGate& g, const std::shared_ptr<std::atomic<TaskStatus>>& s) {
          pass(g);
          ThreadGroup own("own");
          *s = own.add_task([] {}).status();
        },
        gate, status);
  });
  gate->has_begun.acquire();
  std::latch go(1);
  group.post([&] { go.wait(); });
  std::thread drains([&] { group.shut_down({.drain = 1h, .stop = 1h}); });
  eventually([&] { return group.is_draining(); });
  gate->may_end.release();
  attached.join();
  go.count_down();
  drains.join();
  EXPECT_EQ(*status, TaskStatus::skipped);
}

TEST_F(CallsAndGroups, wait_of_a_call_for_the_group_that_waits_for_it_is_refused) {
  ThreadGroup group("group");
  const auto task = group.add_task([&] {
    const StopScope scope;
    abandonable(
        TaskName("driver"), [](GroupOfTest callers) { static_cast<void>(callers.group.join(10ms)); },
        GroupOfTest{group});
  });
  try {
    task.get();
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur);
    EXPECT_NE(std::string(e.what()).find("call 'driver' waits for group 'MainThread/group', which cannot "
                                         "end before this call"),
              std::string::npos)
        << e.what();
  }
}

TEST_F(CallsAndGroups, call_of_a_call_that_is_attached_to_another_group_may_wait_for_that_group) {
  ThreadGroup group("group");
  ThreadGroup other("other");
  const auto task = group.add_task([&] {
    return abandonable(
        [](GroupOfTest attach_to) {
          const Attached attached(attach_to.group);
          return abandonable([](GroupOfTest joined) { return static_cast<bool>(joined.group.join()); },
                             attach_to);
        },
        GroupOfTest{other});
  });
  EXPECT_TRUE(task.get());
}

TEST_F(CallsAndGroups, abandoned_call_that_waits_for_its_callers_group_sees_the_stop) {
  const auto gate = new_gate();
  const auto event_set = std::make_shared<std::atomic<bool>>(false);
  ThreadGroup group("group");
  group.post([&] {
    abandonable(
        [](const SharedGate& g, GroupOfTest callers, const std::shared_ptr<std::atomic<bool>>& e) {
          pass(g);
          *e = callers.group.join().event_set;
        },
        gate, GroupOfTest{group}, event_set);
  });
  const auto busy = new_gate();
  group.post([&] { pass(busy); });
  busy->has_begun.acquire();
  gate->has_begun.acquire();
  group.set_event("enough");
  gate->may_end.release();
  eventually([&] { return abandoned() == 0 && event_set->load(); });
  busy->may_end.release();
}

TEST_F(CallsAndGroups, call_below_an_abandoned_one_may_wait_for_the_group_that_left_that_behind) {
  const auto gate = new_gate();
  const auto is_done = std::make_shared<std::atomic<bool>>(false);
  ThreadGroup group("group");
  group.post([&] {
    abandonable(
        [](const SharedGate& g, GroupOfTest callers, const std::shared_ptr<std::atomic<bool>>& done) {
          const Shield shield(600s);
          abandonable(
              [](const SharedGate& in, GroupOfTest joined, const std::shared_ptr<std::atomic<bool>>& d) {
                pass(in);
                *d = static_cast<bool>(joined.group.join());
              },
              g, callers, done);
        },
        gate, GroupOfTest{group}, is_done);
  });
  gate->has_begun.acquire();
  group.set_event("enough");
  eventually([] { return abandoned() == 1; });
  gate->may_end.release();
  eventually([] { return abandoned() == 0; });
  EXPECT_TRUE(*is_done);
}

TEST_F(CallsAndGroups, call_adds_to_the_full_group_that_waits_for_it) {
  static std::atomic<int> runs{0};
  runs = 0;
  ThreadGroup group("full", {.max_concurrent_threads = 1, .max_pending = 1});
  group.post([&] {
    const StopScope scope(20s);  // so that a fault does not hang the test
    abandonable(
        [](GroupOfTest callers) {
          for (int i = 0; i < 3; ++i) callers.group.post([] { ++runs; });
        },
        GroupOfTest{group});
  });
  EXPECT_EQ(group.join().counts.succeeded, 4u);
  EXPECT_EQ(runs, 3);
}

// --- Groups of calls that were left behind ---

// A task whose call has a task of its own, which does not end before the gate is open.
void post_call_with_group(ThreadGroup& group, const SharedGate& gate) {
  group.post([gate] {
    abandonable(
        TaskName("driver"),
        [](const SharedGate& g) {
          ThreadGroup own("own");
          own.add_task([g] { pass(g); }).get();
        },
        gate);
  });
  gate->has_begun.acquire();
}

TEST_F(CallsAndGroups, shutdown_does_not_wait_for_the_groups_of_a_call_that_it_leaves_behind) {
  const auto gate = new_gate();
  ThreadGroup group("group");
  const OpenedAtEnd opened({gate});
  post_call_with_group(group, gate);
  const ShutdownReport report = group.shut_down({.drain = 1ms, .stop = 5s});
  EXPECT_TRUE(report) << report.str();
  EXPECT_TRUE(report.ran_over.empty());
  ASSERT_EQ(report.left_behind.size(), 1u);
  EXPECT_EQ(report.left_behind[0].name, "driver");
}

TEST_F(CallsAndGroups, shutdown_learns_that_a_call_of_a_thread_is_left_behind_while_it_waits) {
  const auto gate = new_gate();
  ThreadGroup group("group");
  std::thread attached([&] {
    const Attached to_group(group);
    const Shield shield(100ms);  // so that the shutdown waits first
    EXPECT_THROW(abandonable(
                     [](const SharedGate& g) {
                       ThreadGroup own("own");
                       own.add_task([g] { pass(g); }).get();
                     },
                     gate),
                 Stopped);
  });
  gate->has_begun.acquire();
  const ShutdownReport report = group.shut_down({.drain = 0s, .stop = 20s});
  EXPECT_TRUE(report) << report.str();
  EXPECT_LT(report.stop_took, 20s);  // else it has learnt it only then
  attached.join();
  gate->may_end.release();
}

TEST_F(CallsAndGroups, report_of_a_shutdown_does_not_count_what_was_left_behind_before) {
  const auto gate = new_gate();
  const auto straggler = new_gate();
  ThreadGroup group("group");
  const OpenedAtEnd opened({gate, straggler});
  post_call_with_group(group, gate);
  group.post(TaskName("straggler"), [&] { pass(straggler); });
  straggler->has_begun.acquire();
  group.set_event("enough");
  eventually(
      [&] { return abandoned() == 1 && group.statistics().running == 1; });  // the caller's task has ended
  const ShutdownReport report = group.shut_down({.drain = 0s, .stop = 1ms});
  EXPECT_EQ(report.counts.running, 1u);
  ASSERT_EQ(report.ran_over.size(), 1u);
  EXPECT_EQ(report.ran_over[0].task.name, "straggler");
  EXPECT_EQ(report.left_behind.size(), 1u);
}

// In children, because they stop everything.
TEST_F(CallsAndGroups, shutdown_of_all_does_not_wait_for_a_call_whose_daemon_group_is_gone) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  EXPECT_EQ(in_child([] {
              const auto gate = std::make_shared<Gate>();
              auto daemon = std::make_unique<ThreadGroup>("daemon", GroupOptions{.daemon = true});
              post_call_with_group(*daemon, gate);
              daemon->set_event("enough");
              daemon->join();
              daemon.reset();  // the call becomes a root of the forest
              const ShutdownReport report =
                  ThreadEventsController::instance().shut_down({.drain = 5s, .stop = 5s});
              gate->may_end.release();
              REQUIRE_IN_CHILD(report.drained);
              REQUIRE_IN_CHILD(report.left_behind.size() == 1);
            }),
            0);
}

TEST_F(CallsAndGroups, abandoned_call_may_shut_down_all_groups) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  EXPECT_EQ(in_child([] {
              const auto gate = std::make_shared<Gate>();
              const auto shut_down = std::make_shared<std::atomic<bool>>(false);
              ThreadGroup group("group");
              group.post([&] {
                abandonable(
                    [](const SharedGate& g, const std::shared_ptr<std::atomic<bool>>& done) {
                      pass(g);
                      *done = static_cast<bool>(ThreadEventsController::instance().shut_down({.drain = 0s}));
                    },
                    gate, shut_down);
              });
              gate->has_begun.acquire();
              group.set_event("enough");
              group.join();
              gate->may_end.release();
              eventually([] { return abandoned() == 0; });
              REQUIRE_IN_CHILD(shut_down->load());
            }),
            0);
}

TEST_F(CallsAndGroups, abandoned_call_shuts_down_its_own_group_and_waits_for_it) {
  const auto gate = new_gate();
  const auto inner = new_gate();
  const auto tasks_left = std::make_shared<std::atomic<int>>(-1);
  ThreadGroup group("group");
  group.post([&] {
    abandonable(
        [](const SharedGate& g, const SharedGate& in, const std::shared_ptr<std::atomic<int>>& left) {
          ThreadGroup own("own");
          own.post([in] { pass(in); });
          pass(g);
          const Shield shield(600s);
          *left = static_cast<int>(own.shut_down({.drain = 0s, .stop = 1ms}).counts.running);
          in->may_end.release();
        },
        gate, inner, tasks_left);
  });
  inner->has_begun.acquire();
  group.set_event("enough");
  eventually([] { return abandoned() == 1; });
  gate->may_end.release();
  eventually([&] { return tasks_left->load() != -1; });
  EXPECT_EQ(*tasks_left, 1);
}

}  // namespace
}  // namespace calls_and_groups_test
}  // namespace tg::test
