// SPDX-License-Identifier: Apache-2.0
// The stop signal beside what programs do with signals, masks, forks and sandboxes.
#include <gtest/gtest.h>

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "posix/counted_signals.hpp"
#include "posix/reading_task.hpp"
#include "posix/signal_test.hpp"
#include "support/blocked_task.hpp"
#include "support/eventually.hpp"
#include "support/forbidden_call.hpp"
#include "support/in_child.hpp"
#include "support/pipe.hpp"
#include "support/signal_handler.hpp"
#include "support/threads_asleep.hpp"

namespace tg::test {
namespace signals_test {
namespace {

using namespace std::chrono_literals;

class StopSignals : public SignalTest {};

template <class F>
bool passes_in_child(F f) {
  return status_of(start_child([&] {
           f();
           return testing::Test::HasFailure() ? 1 : 0;
         })) == 0;
}

TEST_F(StopSignals, of_a_stop_are_neither_pending_nor_blocked_afterwards) {
  const Pipe pipe;
  for (int round = 0; round < 50; ++round) {
    {
      const StopScope scope(1ms);
      char byte = 0;
      EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
      EXPECT_EQ(errno, ECANCELED);
    }
    sigset_t set;
    ::sigpending(&set);
    EXPECT_EQ(sigismember(&set, SIGRTMAX - 3), 0);
    ::pthread_sigmask(SIG_BLOCK, nullptr, &set);
    EXPECT_EQ(sigismember(&set, SIGRTMAX - 3), 0);
  }
}

TEST_F(StopSignals, sent_by_other_code_end_no_call_and_are_counted_as_unawaited) {
  const CountedSignals counted;
  const Pipe pipe;
  ThreadGroup group("signals");
  const BlockedTask task(group, [&] {
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1);
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
    EXPECT_EQ(errno, ECANCELED);
  });
  for (int i = 0; i < 3; ++i) ::syscall(SYS_tgkill, ::getpid(), task.thread(), SIGRTMAX - 3);
  eventually([&] { return counted.unawaited() == 3; });
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  // It has taken the byte, and sleeps in the second call.
  eventually([&] {
    int left = 1;
    ::ioctl(pipe.reading(), FIONREAD, &left);
    return left == 0 && is_asleep(task.thread());
  });
  group.set_event("stop");
  EXPECT_TRUE(group.join().failures.empty());
}

// The system counts the pending signals of a user, whose number is limited.
TEST_F(StopSignals, are_sent_again_while_the_user_has_too_many_pending) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  EXPECT_TRUE(passes_in_child([] {
    ReadingTask task;
    rlimit limit{};
    ::getrlimit(RLIMIT_SIGPENDING, &limit);
    const rlimit none{0, limit.rlim_max};
    ::setrlimit(RLIMIT_SIGPENDING, &none);
    std::thread more([&, sender = this_thread_number()] {
      eventually([&] { return is_asleep(sender); });  // between two attempts
      ::setrlimit(RLIMIT_SIGPENDING, &limit);
    });
    task.stop();
    more.join();
  }));
}

// --- A handler of the program on top of a call ---

constinit std::atomic<int> handler_reads_from{-1};
constinit std::atomic<int> handler_result{0};
constinit std::atomic<bool> handler_is_in{false};

void read_in_handler(int) {
  const int error = errno;
  char byte = 0;
  handler_is_in = true;
  handler_result = static_cast<int>(posix::read(handler_reads_from, &byte, 1)) == -1 ? errno : 0;
  errno = error;
}

TEST_F(StopSignals, stop_the_call_of_a_handler_and_the_call_below_it) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kHandlersWait;
  const Pipe pipe;
  const Pipe of_handler;
  handler_reads_from = of_handler.reading();
  handler_is_in = false;
  handler_result = 0;
  const SignalHandler handler(SIGUSR2, &read_in_handler);
  ThreadGroup group("signals");
  const BlockedTask task(group, [&] {
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
    EXPECT_EQ(errno, ECANCELED);
    sigset_t mask;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    EXPECT_EQ(sigismember(&mask, SIGRTMAX - 3), 0) << "the signal is not blocked afterwards";
  });
  ::syscall(SYS_tgkill, ::getpid(), task.thread(), SIGUSR2);
  eventually([&] { return handler_is_in && is_asleep(task.thread()); });
  group.set_event("stop");
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_EQ(handler_result, ECANCELED);
}

// The kernel makes the call again when the handler returns.
TEST_F(StopSignals, during_a_handler_end_the_interrupted_call) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kHandlersWait;
  ReadingTask task;
  SpinningHandler handler(task.thread());
  task.set_event();
  handler.let_return();
  task.stop();
}

// --- Forks ---

TEST_F(StopSignals, work_in_a_child_that_was_forked_while_a_thread_was_in_a_call) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  ReadingTask task;
  EXPECT_TRUE(passes_in_child([] { ReadingTask().stop(); }));
  task.stop();
}

TEST_F(StopSignals, work_in_a_child_that_a_task_has_forked_after_a_call) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  const Pipe pipe;
  ThreadGroup group("parent");
  group.post([&] {
    EXPECT_EQ(posix::write(pipe.writing(), "x", 1), 1);
    EXPECT_TRUE(passes_in_child([] { ReadingTask().stop(); }));
  });
  EXPECT_TRUE(group.join().failures.empty());
}

// --- Refusals ---

// In a process of their own, in which no call was made yet.
class StopSignalsAtFirst : public SignalTest {
 protected:
  StopSignalsAtFirst() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

[[noreturn]] void end_with_result() { std::exit(testing::Test::HasFailure() ? 1 : 0); }

TEST_F(StopSignalsAtFirst, are_refused_if_the_program_handles_the_signal) {
  EXPECT_EXIT(
      {
        std::signal(SIGRTMAX - 3, [](int) {});
        try {
          const StopScope scope(10s);
          char byte = 0;
          posix::read(0, &byte, 1);
          ADD_FAILURE();
        } catch (const std::system_error& e) {
          EXPECT_NE(std::string(e.what()).find("use_signal"), std::string::npos) << e.what();
        }
        posix::use_signal(SIGRTMAX - 5);
        ReadingTask().stop();
        EXPECT_THROW(posix::use_signal(SIGRTMAX - 6), std::logic_error);
        end_with_result();
      },
      testing::ExitedWithCode(0), "");
  EXPECT_THROW(posix::use_signal(SIGUSR1), std::invalid_argument);
}

TEST_F(StopSignalsAtFirst, are_refused_where_the_system_permits_none) {
  if (!can_forbid()) GTEST_SKIP() << kNeedsFilters;
  EXPECT_EXIT(
      {
        if (!forbid(SYS_tgkill)) ::_exit(2);
        try {
          const StopScope scope(10s);
          char byte = 0;
          posix::read(0, &byte, 1);
          ADD_FAILURE();
        } catch (const std::system_error& e) {
          EXPECT_EQ(e.code().value(), EPERM);
        }
        end_with_result();
      },
      testing::ExitedWithCode(0), "");
}

// In a process of its own, because the library keeps the thread.
TEST_F(StopSignalsAtFirst, reach_a_thread_that_had_blocked_all_signals) {
  EXPECT_EXIT(
      {
        ReadingTask([] { block_all_signals(); }).stop();
        end_with_result();
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(StopSignalsAtFirst, work_without_membarrier) {
  if (!can_forbid()) GTEST_SKIP() << kNeedsFilters;
  EXPECT_EXIT(
      {
        if (!forbid(SYS_membarrier)) ::_exit(2);
        for (int round = 0; round < 20; ++round) ReadingTask().stop();
        end_with_result();
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace signals_test
}  // namespace tg::test
