// SPDX-License-Identifier: Apache-2.0
// A fork at every lock and guard: the child works, or says that something is the parent's. It never hangs.
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/sanitizers.hpp"

#include "forks/child.hpp"
#include "forks/stepper.hpp"

namespace tg::forks {
namespace {

TEST(ForkMatrix, child_of_a_fork_at_any_lock_or_guard_uses_every_class_of_the_library) {
  if (TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER) {
    GTEST_SKIP() << "the sanitizers' allocators do not survive a fork while another thread allocates";
  }
  if (!can_step()) GTEST_SKIP() << "the stepper knows x86-64 only";
  // A process of its own, because the first use of the library comes once.
  const pid_t made = ::fork();
  if (made == 0) {
    ::execl("/proc/self/exe", "forks_test", "--script", nullptr);
    ::_exit(99);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(made, &status, 0), made);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;  // it has said what is wrong
}

TEST(ForkMatrix, what_the_child_does_is_right_without_a_fork) {
  if (TG_ADDRESS_SANITIZER) GTEST_SKIP() << "its allocator does not survive a fork";
  const pid_t made = ::fork();
  if (made == 0) ::_exit(touch_everything());
  int status = -1;
  ASSERT_EQ(::waitpid(made, &status, 0), made);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace tg::forks
