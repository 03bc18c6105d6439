// SPDX-License-Identifier: Apache-2.0
// How fast a group has stopped, and who says so.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <string>

#include <threadgroup/threadgroup.hpp>

#include "support/eventually.hpp"

namespace tg {
namespace stop_latency_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

TEST(StopLatencyTest, is_that_of_the_task_that_ended_last) {
  ThreadGroup group("work");
  std::latch started(3);
  std::latch fast_ones_ended(2);
  for (const char* name : {"fast", "fast too"}) {
    group.add_task(TaskName(name), [&] {
      started.count_down();
      thread_utils::event_aware_sleep(1h);
      fast_ones_ended.count_down();
    });
  }
  group.add_task(TaskName("slow"), [&] {
    started.count_down();
    thread_utils::event_aware_sleep(1h);
    fast_ones_ended.wait();
    test::leave_time(20ms);
  });
  started.wait();
  EXPECT_FALSE(group.stop_latency());
  group.set_event();
  const JoinResult joined = group.join();
  ASSERT_TRUE(joined.stop);
  EXPECT_EQ(joined.stop->slowest_task, "slow");
  EXPECT_GE(joined.stop->time, Duration(20ms));
  EXPECT_EQ(group.stop_latency()->slowest_task, "slow");
  const ForestSnapshot forest = ThreadEventsController::instance().snapshot();
  EXPECT_EQ(forest.find(group.id())->stop->slowest_task, "slow");
}

TEST(StopLatencyTest, counts_tasks_that_complete_although_they_were_stopped) {
  ThreadGroup group("work");
  std::latch started(1);
  std::latch go(1);
  group.post([&] {
    started.count_down();
    go.wait();
  });
  started.wait();
  group.set_event();
  go.count_down();
  EXPECT_EQ(group.join().counts.succeeded, 1U);
  EXPECT_EQ(group.stop_latency()->slowest_task, "task 1");
}

TEST(StopLatencyTest, is_kept_for_tasks_that_their_own_group_added) {
  ThreadGroup group("work", {.max_concurrent_threads = 1});
  std::latch started(1);
  group.post([&] {
    group.add_task(TaskName("local"), [&] {
      started.count_down();
      thread_utils::event_aware_sleep(1h);
    });
  });
  started.wait();
  group.set_event();
  EXPECT_EQ(group.join().stop->slowest_task, "local");
}

TEST(StopLatencyTest, is_not_there_if_no_task_was_running) {
  ThreadGroup group("work");
  group.post([] {});
  group.join();
  EXPECT_FALSE(group.join().stop);
  group.set_event();
  group.post([] {});  // skipped
  EXPECT_FALSE(group.join().stop);
}

TEST(StopLatencyTest, is_in_the_text_of_a_join_if_the_stop_was_slow) {
  JoinResult joined;
  joined.reason.emplace();
  joined.counts.succeeded = 1;
  joined.stop = StopLatency{999ms, "fetch 17"};
  EXPECT_EQ(joined.str(), "stopped (requested): 1 succeeded");
  joined.stop->time = 2300ms;
  EXPECT_EQ(joined.str(),
            "stopped (requested): 1 succeeded; its last task, 'fetch 17', ended 2.3 s after the stop");
}

TEST(StopLatencyTest, is_in_the_picture_of_the_forest_if_the_stop_was_slow) {
  ForestSnapshot forest;
  NodeSnapshot& node = forest.nodes.emplace_back();
  node.name = "web";
  node.reason.emplace();
  node.stop = StopLatency{2300ms, "fetch 17"};
  const std::string text = to_text(forest);
  EXPECT_NE(text.find("; its last task, 'fetch 17', ended 2.3 s after the stop\n"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace stop_latency_test
}  // namespace tg
