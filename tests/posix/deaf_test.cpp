// SPDX-License-Identifier: Apache-2.0
// Threads that block the stop signal are reported, and others are not.
#include <gtest/gtest.h>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"
#include "support/pipe.hpp"
#include "support/threads_asleep.hpp"
#include "tree/call_registration.hpp"

namespace tg::test {
namespace deaf_test {
namespace {

using namespace std::chrono_literals;

// What the library reports while the object lives.
class Reports {
 public:
  Reports() { testing::internal::CaptureStderr(); }
  ~Reports() {
    if (!is_taken_) testing::internal::GetCapturedStderr();
  }
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;
  void wait() const {
    eventually([] { return ::lseek(STDERR_FILENO, 0, SEEK_CUR) > 0; });
  }
  std::string take() {
    is_taken_ = true;
    return testing::internal::GetCapturedStderr();
  }

 private:
  bool is_taken_ = false;
};

// As other code may do in the middle of a task.
void block_all_signals(sigset_t* before) {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, before);
}

// Whether a stop of the registrations of the process is still on its way an hour later, without a report.
bool is_any_looked_at_again() {
  return !detail::CallRegistration::report_deaf(runtime::now() + 1h).is_never();
}

TEST(DeafThreads, are_reported_once_with_thread_group_and_call_and_a_stop_reaches_them_later) {
  const Pipe pipe;
  Reports reports;
  ThreadGroup group("deaf");
  std::atomic<int> thread{0};
  group.post([&] {
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1);  // its thread can be stopped from here on
    sigset_t before;
    block_all_signals(&before);
    thread = this_thread_number();
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1) << "the stop does not end it";
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
    EXPECT_EQ(errno, ECANCELED);
    sigset_t pending;
    ::sigpending(&pending);
    EXPECT_EQ(sigismember(&pending, SIGRTMAX - 3), 0) << "it has received the signal";
  });
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  eventually([&] { return thread != 0 && is_asleep(thread); });
  group.set_event("stop");
  EXPECT_FALSE(is_any_looked_at_again());
  EXPECT_FALSE(is_any_looked_at_again());
  reports.wait();
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_TRUE(group.join().failures.empty());
  const std::string text = reports.take();
  EXPECT_EQ(text.rfind("threadgroup: ", 0), 0U) << text;
  EXPECT_EQ(text.find('\n'), text.size() - 1) << "one line: " << text;
  for (const std::string& part :
       {"thread " + std::to_string(thread) + " 'deaf'", std::string("'MainThread/deaf'"),
        std::string("its call of read"), "signal " + std::to_string(SIGRTMAX - 3)})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(DeafThreads, are_looked_for_some_time_after_the_stop) {
  const Pipe pipe;
  Reports reports;
  ThreadGroup group("deaf");
  std::atomic<int> thread{0};
  group.post([&] {
    char byte = 0;
    EXPECT_EQ(posix::read(-1, &byte, 1), -1);
    sigset_t before;
    block_all_signals(&before);
    thread = this_thread_number();
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  });
  eventually([&] { return thread != 0 && is_asleep(thread); });
  group.set_event("stop");
  reports.wait();
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_NE(reports.take().find("its call of read"), std::string::npos);
}

TEST(DeafThreads, are_not_threads_that_leave_their_calls_or_were_not_sent_a_signal) {
  const Pipe pipe;
  Reports reports;
  for (int round = 0; round < 3; ++round) {
    ThreadGroup group("ordinary");
    std::atomic<int> thread{0};
    group.post([&] {
      thread = this_thread_number();
      char byte = 0;
      EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
    });
    eventually([&] { return thread != 0 && is_asleep(thread); });
    EXPECT_FALSE(is_any_looked_at_again()) << "nothing was sent";
    group.set_event("stop");
    EXPECT_FALSE(is_any_looked_at_again());
    group.join();
    EXPECT_FALSE(is_any_looked_at_again());
  }
  EXPECT_EQ(reports.take(), "");
}

constinit std::atomic<bool> handler_is_in{false};
constinit std::atomic<bool> handler_may_return{false};
void spin(int) {
  handler_is_in = true;
  while (!handler_may_return) {
  }
}

TEST(DeafThreads, are_not_threads_whose_call_a_handler_of_the_program_has_interrupted) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << "the sanitizer keeps the handler until the call has ended";
  const Pipe pipe;
  Reports reports;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = &spin;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR2, &action, &before);
  ThreadGroup group("ordinary");
  std::atomic<int> thread{0};
  group.post([&] {
    thread = this_thread_number();
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
  });
  eventually([&] { return thread != 0 && is_asleep(thread); });
  ::syscall(SYS_tgkill, ::getpid(), thread.load(), SIGUSR2);
  eventually([] { return handler_is_in.load(); });
  group.set_event("stop");
  eventually([] { return !is_any_looked_at_again(); });
  const auto end = std::chrono::steady_clock::now() + 200ms;  // also for the look by the library
  eventually([&] { return std::chrono::steady_clock::now() >= end; });
  handler_may_return = true;
  group.join();
  ::sigaction(SIGUSR2, &before, nullptr);
  EXPECT_EQ(reports.take(), "");
}

}  // namespace
}  // namespace deaf_test
}  // namespace tg::test
