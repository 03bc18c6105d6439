// SPDX-License-Identifier: Apache-2.0
// Pending tasks between the moment when an event is set and the moment when its setter clears the queue.
#include <gtest/gtest.h>

#include <latch>
#include <stop_token>
#include <threadgroup/threadgroup.hpp>

namespace pending_after_event_test {
namespace {

TEST(PendingAfterEvent, worker_that_comes_before_the_setter_clears_the_queue_runs_nothing) {
  tg::ThreadGroup group("regression", {.max_concurrent_threads = 1});
  std::latch started(1);
  std::latch told(1);
  const auto running = group.add_task([&] {
    started.count_down();
    told.wait();
  });
  bool ran = false;
  const auto pending = group.add_task([&] { ran = true; });

  // The callbacks of stop tokens come after the flag and before the queue is cleared: here the only worker is
  // released in between, and the setter does not go on before the worker has dealt with the pending task.
  const std::stop_callback in_between(group.get_stop_token(), [&] {
    told.count_down();
    static_cast<void>(pending.wait());
  });
  started.wait();
  EXPECT_TRUE(group.set_event());

  EXPECT_EQ(pending.status(), tg::TaskStatus::skipped);
  EXPECT_FALSE(ran);
  EXPECT_TRUE(pending.reason().has_value());
  EXPECT_TRUE(group.wait_idle());
  EXPECT_EQ(group.statistics().succeeded, 1U);
  EXPECT_EQ(group.statistics().skipped, 1U);
}

}  // namespace
}  // namespace pending_after_event_test
