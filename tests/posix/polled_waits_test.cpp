// SPDX-License-Identifier: Apache-2.0
// Waits for processes that poll, as on processors for which the library has no assembly.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "runtime/system_time.hpp"
#include "support/children.hpp"
#include "support/eventually.hpp"
#include "support/pipe.hpp"
#include "support/threads_asleep.hpp"

namespace tg::test {
namespace polled_waits_test {
namespace {

using namespace std::chrono_literals;

TEST(PolledWaits, for_a_process_get_its_status_and_one_of_them_reaps_it) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ThreadGroup group("waiters", {.max_concurrent_threads = 2});
  std::array<std::atomic<int>, 2> threads{};
  std::atomic<int> reaped{0};
  for (std::atomic<int>& thread : threads) {
    group.post([&] {
      thread = this_thread_number();
      int status = 0;
      if (posix::waitpid(child, &status, 0) != child) {
        EXPECT_EQ(errno, ECHILD);
        return;
      }
      EXPECT_EQ(WTERMSIG(status), SIGKILL);
      ++reaped;
    });
  }
  for (const std::atomic<int>& thread : threads) eventually([&] { return thread != 0 && is_asleep(thread); });
  ::kill(child, SIGKILL);
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_EQ(reaped, 1);
}

TEST(PolledWaits, of_waitid_report_a_process_by_number_and_by_descriptor) {
  const pid_t child = ended_child(3);
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  const StopScope scope;
  siginfo_t ended{};
  EXPECT_EQ(posix::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(ended.si_pid, child);
  EXPECT_EQ(ended.si_status, 3);
  ended = {};
  EXPECT_EQ(posix::waitid(P_PIDFD, static_cast<id_t>(descriptor), &ended, WEXITED), 0);
  EXPECT_EQ(ended.si_pid, child);
  EXPECT_EQ(posix::waitid(P_PID, static_cast<id_t>(child), nullptr, WEXITED), -1);
  EXPECT_EQ(errno, ECHILD);
  ::close(descriptor);
}

TEST(PolledWaits, for_any_process_or_change_are_stopped) {
  const SleepingChild child;
  siginfo_t found{};
  for (const pid_t which : {pid_t{-1}, child.number()}) {
    const StopScope scope(20ms);
    EXPECT_EQ(posix::waitpid(which, nullptr, WUNTRACED), -1);
    EXPECT_EQ(errno, ECANCELED);
  }
  {
    const StopScope scope(20ms);
    EXPECT_EQ(posix::waitid(P_ALL, 0, &found, WEXITED), -1);
    EXPECT_EQ(errno, ECANCELED);
  }
  ::kill(child.number(), SIGSTOP);
  const StopScope scope;
  EXPECT_EQ(posix::waitid(P_PID, static_cast<id_t>(child.number()), &found, WSTOPPED), 0);
  EXPECT_EQ(found.si_status, SIGSTOP);
  EXPECT_EQ(found.si_pid, child.number());
}

TEST(PolledWaits, for_a_process_are_stopped_without_a_descriptor_for_it) {
  const SleepingChild child;
  const StopScope scope(50ms);
  stop_fd();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const pid_t ended = posix::waitpid(child.number(), nullptr, 0);
  const int error = errno;
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(ended, -1);
  EXPECT_EQ(error, ECANCELED);
}

// The descriptor tells that the process has ended, but nothing can reap it before its tracer has waited for it.
TEST(PolledWaits, for_a_traced_process_keep_no_processor_busy) {
  const SleepingChild child;
  const Pipe to_tracer;
  const Pipe from_tracer;
  const pid_t tracer = ::fork();
  char byte = 0;
  if (tracer == 0) {
    const bool traces = ::ptrace(PTRACE_SEIZE, child.number(), nullptr, nullptr) == 0;
    static_cast<void>(::write(from_tracer.writing(), traces ? "y" : "n", 1) +
                      ::read(to_tracer.reading(), &byte, 1));
    ::_exit(0);
  }
  EXPECT_EQ(::read(from_tracer.reading(), &byte, 1), 1);
  if (byte == 'y') {
    ::kill(child.number(), SIGKILL);
    const StopScope scope(300ms);
    const timespec before = runtime::time_on(CLOCK_THREAD_CPUTIME_ID);
    EXPECT_EQ(posix::waitpid(child.number(), nullptr, 0), -1);
    EXPECT_EQ(errno, ECANCELED);
    const timespec used = runtime::difference(runtime::time_on(CLOCK_THREAD_CPUTIME_ID), before);
    EXPECT_TRUE(used.tv_sec == 0 && used.tv_nsec < 100'000'000) << used.tv_nsec;
  }
  EXPECT_EQ(::write(to_tracer.writing(), "x", 1), 1);
  ::waitpid(tracer, nullptr, 0);
  if (byte != 'y') GTEST_SKIP() << "the system permits no tracing";
}

TEST(PolledWaits, for_a_process_by_a_descriptor_that_does_not_block_do_not_wait) {
  const SleepingChild child;
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, child.number(), O_NONBLOCK));
  ASSERT_GE(process, 0);
  const StopScope scope(10s);
  EXPECT_EQ(posix::waitid(P_PIDFD, static_cast<id_t>(process), nullptr, WEXITED), -1);
  EXPECT_EQ(errno, EAGAIN);
  ::close(process);
}

}  // namespace
}  // namespace polled_waits_test
}  // namespace tg::test
