// SPDX-License-Identifier: Apache-2.0
// What shows the calls that were left behind, how many there may be, and what a fork does to them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include <threadgroup/threadgroup.hpp>

#include "abandon/gate.hpp"
#include "base/sanitizers.hpp"
#include "base/spin.hpp"
#include "runtime/faults.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/thread_cache.hpp"

namespace tg::test {
namespace abandoned_calls_test {
namespace {

using namespace std::chrono_literals;

using AbandonedCalls = NoCallLeft;

// --- What shows it ---

TEST_F(AbandonedCalls, snapshot_shows_which_call_was_abandoned_by_whom) {
  const SharedGate gate = new_gate();
  auto group = std::make_unique<ThreadGroup>("fetch");
  group->post([gate] { abandonable(TaskName("getaddrinfo"), pass, gate); });
  gate->has_begun.acquire();
  const std::string before = to_text(ThreadEventsController::instance().snapshot());
  EXPECT_NE(before.find("    `-- getaddrinfo (call)\n"), std::string::npos) << before;
  group->set_event("enough");
  group->join();
  group.reset();
  const ForestSnapshot after = ThreadEventsController::instance().snapshot();
  ASSERT_EQ(after.abandoned().size(), 1u);
  const NodeSnapshot& call = *after.abandoned()[0];
  EXPECT_EQ(call.name, "getaddrinfo");
  EXPECT_EQ(call.kind, NodeKind::call);
  EXPECT_EQ(call.abandoned->caller, "MainThread/fetch");
  EXPECT_LT(call.abandoned->ago, 60s);
  const std::string text = to_text(after);
  EXPECT_NE(text.find("`-- getaddrinfo (call, abandoned by 'MainThread/fetch' 0."), std::string::npos)
      << text;
  gate->may_end.release();
}

TEST_F(AbandonedCalls, call_has_the_name_of_its_task) {
  const SharedGate gate = new_gate();
  ThreadGroup group("group");
  group.post(TaskName("page 3"), [gate] { abandonable(pass, gate); });
  gate->has_begun.acquire();
  const ForestSnapshot snapshot = ThreadEventsController::instance().snapshot();
  const NodeSnapshot* const call = snapshot.find("page 3");
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(call->kind, NodeKind::call);
  gate->may_end.release();
  group.join();
}

TEST_F(AbandonedCalls, snapshot_says_that_the_task_waits_for_the_call) {
  const SharedGate gate = new_gate();
  ThreadGroup group("group");
  group.post([gate] { abandonable(pass, gate); });
  gate->has_begun.acquire();
  eventually([] {
    const ForestSnapshot snapshot = ThreadEventsController::instance().snapshot();
    const NodeSnapshot* const node = snapshot.find("group");
    return node->running.size() == 1 && node->running[0].waits_for == "an abandonable call";
  });
  gate->may_end.release();
  group.join();
}

TEST_F(AbandonedCalls, report_of_a_shutdown_names_the_calls_that_were_left_behind) {
  const SharedGate gate = new_gate();
  ThreadGroup group("web");
  group.post([gate] { abandonable(TaskName("getaddrinfo"), pass, gate); });
  gate->has_begun.acquire();
  const ShutdownReport report = group.shut_down({.drain = 0s, .stop = 1h});
  EXPECT_TRUE(report);
  ASSERT_EQ(report.left_behind.size(), 1u);
  EXPECT_EQ(report.left_behind[0].name, "getaddrinfo");
  EXPECT_NE(report.str().find("\n  call 'getaddrinfo', abandoned by 'MainThread/web' 0."), std::string::npos)
      << report.str();
  gate->may_end.release();
}

// --- The bound ---

// The only task of the group waits until another call gives its permit back.
bool task_waits_for_another_call(const std::string& group) {
  const ForestSnapshot snapshot = ThreadEventsController::instance().snapshot();
  const NodeSnapshot* const node = snapshot.find(group);
  return node->running.size() == 1 &&
         node->running[0].waits_for.starts_with("another abandonable call to end");
}

TEST_F(AbandonedCalls, calls_beyond_the_bound_wait_and_abandoned_ones_count) {
  set_max_abandonable_calls(1);
  const SharedGate gate = new_gate();
  {
    StopScope scope;
    const StopOnceBegun stop(scope, gate);
    EXPECT_THROW(abandonable(pass, gate), Stopped);
  }
  static std::atomic<int> calls{0};
  calls = 0;
  {
    ThreadGroup group("stopped");
    group.post([] { abandonable([] { ++calls; }); });
    eventually([] { return task_waits_for_another_call("stopped"); });
    group.set_event("enough");
    EXPECT_EQ(group.join().counts.stopped, 1u);
  }
  EXPECT_EQ(calls, 0);
  ThreadGroup group("group");
  const auto task = group.add_task([] { return abandonable([] { return ++calls; }); });
  eventually([] { return task_waits_for_another_call("group"); });
  EXPECT_EQ(calls, 0);
  gate->may_end.release();
  EXPECT_EQ(task.get(), 1);
}

TEST_F(AbandonedCalls, higher_bound_lets_a_waiting_call_begin) {
  set_max_abandonable_calls(1);
  const SharedGate gate = new_gate();
  {
    StopScope scope;
    const StopOnceBegun stop(scope, gate);
    EXPECT_THROW(abandonable(pass, gate), Stopped);
  }
  ThreadGroup group("group");
  const auto task = group.add_task([] { return abandonable([] { return 3; }); });
  eventually([] { return task_waits_for_another_call("group"); });
  set_max_abandonable_calls(2);
  EXPECT_EQ(task.get(), 3);
  gate->may_end.release();
}

TEST_F(AbandonedCalls, bound_may_be_any_number_and_is_changed_in_one_step) {
  const StopScope scope(60s);
  for (const std::size_t most :
       {std::numeric_limits<std::size_t>::max(), std::size_t{200'000'000}, std::size_t{1}}) {
    const TimePoint before = now();
    set_max_abandonable_calls(most);
    EXPECT_LT(now() - before, 100ms);  // one by one it took seconds
    EXPECT_EQ(abandonable([] { return 3; }), 3) << most;
  }
}

TEST_F(AbandonedCalls, waiting_for_calls_that_may_never_end_is_reported) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  EXPECT_EQ(in_child([] {
              set_max_abandonable_calls(1);
              const auto gate = std::make_shared<Gate>();
              const auto abandon = [&](const auto& may_stop) {
                ThreadGroup group("gauges");
                group.post([&] { abandonable(TaskName("driver"), pass, gate); });
                eventually(may_stop);
                group.set_event("enough");
                group.join();
              };
              const auto waits = [] { return task_waits_for_another_call("gauges"); };
              testing::internal::CaptureStderr();
              abandon([&] { return gate->has_begun.try_acquire(); });
              REQUIRE_IN_CHILD(testing::internal::GetCapturedStderr().empty());
              testing::internal::CaptureStderr();
              abandon(waits);
              abandon(waits);
              const std::string text = testing::internal::GetCapturedStderr();
              REQUIRE_IN_CHILD(
                  text.find("threadgroup: abandonable calls wait for others to end "
                            "(set_max_abandonable_calls), 1 abandoned call still runs: 'driver'") == 0);
              REQUIRE_IN_CHILD(std::count(text.begin(), text.end(), '\n') == 1);
              gate->may_end.release();
            }),
            0);
}

TEST_F(AbandonedCalls, waiting_is_reported_only_when_the_calls_that_were_not_abandoned_have_ended) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  EXPECT_EQ(in_child([] {
              set_max_abandonable_calls(1);
              const auto outer = std::make_shared<Gate>();
              const auto inner = std::make_shared<Gate>();
              ThreadGroup group("group");
              group.post([&] {
                abandonable(
                    TaskName("outer"),
                    [](const SharedGate& out, const SharedGate& in) {
                      try {
                        StopScope scope;
                        const StopOnceBegun stop(scope, in);
                        abandonable(TaskName("inner"), pass, in);
                      } catch (const Stopped&) {
                      }
                      pass(out);
                    },
                    outer, inner);
              });
              outer->has_begun.acquire();
              testing::internal::CaptureStderr();
              ThreadGroup waits("waits");
              waits.post([] { abandonable([] {}); });
              eventually([] { return task_waits_for_another_call("waits"); });
              // The outer call will end; its permit is the one beyond the bound.
              REQUIRE_IN_CHILD(testing::internal::GetCapturedStderr().empty());
              testing::internal::CaptureStderr();
              outer->may_end.release();
              group.join();
              REQUIRE_IN_CHILD(testing::internal::GetCapturedStderr().find(
                                   "1 abandoned call still runs: 'inner'") != std::string::npos);
              inner->may_end.release();
            }),
            0);
}

TEST_F(AbandonedCalls, bound_of_zero_is_refused) {
  EXPECT_THROW(set_max_abandonable_calls(0), std::invalid_argument);
}

using CallsWithoutIdleThreads = NoIdleThreads;

TEST_F(CallsWithoutIdleThreads, call_that_gets_no_thread_is_not_made_and_takes_no_permit) {
  set_max_abandonable_calls(1);
  const StopScope scope;
  static std::atomic<int> calls{0};
  calls = 0;
  runtime::faults::refuse_threads(1);
  EXPECT_THROW(abandonable([] { ++calls; }), std::system_error);
  EXPECT_EQ(calls, 0);
  abandonable([] { ++calls; });
  EXPECT_EQ(calls, 1);
  set_max_abandonable_calls(64);
}

// --- Forks ---

TEST_F(AbandonedCalls, forked_child_has_none_of_the_calls) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  set_max_abandonable_calls(1);
  const SharedGate gate = new_gate();
  StopScope scope;
  const StopOnceBegun stop(scope, gate);
  EXPECT_THROW(abandonable(pass, gate), Stopped);
  EXPECT_EQ(in_child([] {
              REQUIRE_IN_CHILD(abandoned() == 0);
              const StopScope own;
              REQUIRE_IN_CHILD(abandonable([] { return 3; }) == 3);
            }),
            0);
  gate->may_end.release();
}

TEST_F(AbandonedCalls, call_may_fork) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  const StopScope scope;
  const int status = abandonable([] {
    return in_child([] {
      const StopScope own;
      REQUIRE_IN_CHILD(abandonable([] { return 3; }) == 3);
    });
  });
  EXPECT_EQ(status, 0);
}

// --- Stops at random moments ---

TEST_F(AbandonedCalls, stops_at_random_moments_lose_neither_call_nor_permit) {
  set_max_abandonable_calls(3);
  const auto alive = std::make_shared<int>(0);
  for (int round = 0; round < 250; ++round) {
    ThreadGroup group("group");
    std::latch running(4);
    for (int i = 0; i < 4; ++i) {
      group.post([&, alive] {
        running.count_down();
        for (;;) abandonable([](const std::shared_ptr<int>& a) { return a; }, alive);
      });
    }
    running.wait();
    for (int spins = 100 * (round % 50); spins > 0; --spins) detail::relax();
    group.set_event("enough");
    EXPECT_EQ(group.join().counts.stopped, 4u);
  }
  eventually([&] { return alive.use_count() == 1; });
  set_max_abandonable_calls(1);
  const StopScope scope;
  EXPECT_EQ(abandonable([] { return 1; }), 1);
}

}  // namespace
}  // namespace abandoned_calls_test
}  // namespace tg::test
