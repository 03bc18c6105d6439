// SPDX-License-Identifier: Apache-2.0
// A task that leaves its thread by pthread_exit, or is cancelled: the process ends, and says which task it
// was.
#include <pthread.h>

#include <unistd.h>
#include <chrono>

#include <atomic>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "support/eventually.hpp"

namespace leaving_thread_test {
namespace {

using tg::TaskName;
using tg::ThreadGroup;

class LeavingThread : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

[[noreturn]] void leave() { ::pthread_exit(nullptr); }

TEST_F(LeavingThread, pthread_exit_in_a_task_is_named_before_the_process_ends) {
  EXPECT_DEATH(
      {
        ThreadGroup group("exiting");
        static_cast<void>(group.add_task(TaskName{"leaver"}, leave).wait(std::chrono::seconds(60)));
      },
      "threadgroup: task 'leaver' of group 'MainThread/exiting' on exiting .*called pthread_exit");
}

TEST_F(LeavingThread, pthread_exit_in_a_posted_task_and_in_one_that_is_tried_again_is_named) {
  EXPECT_DEATH(
      {
        ThreadGroup group("posted");
        group.post(leave);
        static_cast<void>(group.join());
      },
      "task 'task 1' of group 'MainThread/posted'");
  EXPECT_DEATH(
      {
        ThreadGroup group("tried");
        group.post(tg::with_retries(leave));
        static_cast<void>(group.join());
      },
      "task 'task 1' of group 'MainThread/tried'");
}

TEST_F(LeavingThread, cancelled_task_is_named_before_the_process_ends) {
  EXPECT_DEATH(
      {
        std::atomic<pthread_t> thread{};
        std::atomic<bool> known{false};
        ThreadGroup group("cancelled");
        const auto task = group.add_task(TaskName{"victim"}, [&] {
          thread = ::pthread_self();
          known = true;
          for (;;) ::pause();
        });
        tg::test::eventually([&] { return known.load(); });
        ::pthread_cancel(thread);
        static_cast<void>(task.wait());
      },
      "task 'victim' of group 'MainThread/cancelled'.*cancelled by pthread_cancel");
}

}  // namespace
}  // namespace leaving_thread_test
