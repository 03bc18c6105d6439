// SPDX-License-Identifier: Apache-2.0
// Threads that block the stop signal are reported, and others are not.
#include <gtest/gtest.h>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "posix/reading_task.hpp"
#include "posix/signal_test.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/stop_signal.hpp"
#include "support/blocked_task.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/pipe.hpp"
#include "tree/call_registration.hpp"

namespace tg::test {
namespace blocked_signals_test {
namespace {

using namespace std::chrono_literals;

class BlockedSignals : public SignalTest {};

// While the object lives, stderr is a pipe.
class StderrPipe {
 public:
  StderrPipe() : before_(::dup(STDERR_FILENO)) { ::dup2(pipe_.writing(), STDERR_FILENO); }
  ~StderrPipe() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
  }
  StderrPipe(const StderrPipe&) = delete;
  StderrPipe& operator=(const StderrPipe&) = delete;

  void fill() const { pipe_.fill(); }
  // Waits for it. What `fill` has written comes first.
  std::string next_line() const {
    std::string line;
    for (char byte = 0; byte != '\n'; line += byte)
      if (::read(pipe_.reading(), &byte, 1) != 1) break;
    return line;
  }
  bool is_empty() const { return pipe_.drain() == 0; }

 private:
  const Pipe pipe_;
  const int before_;
};

// A task of the group in a call that no stop ends, because its thread blocks the signal. It ends once a byte is in the
// pipe, and `after` runs last.
template <class After>
BlockedTask read_with_blocked_signals(ThreadGroup& group, const Pipe& pipe, After after) {
  return BlockedTask(
      group, [] { EXPECT_EQ(posix::read(-1, nullptr, 1), -1); },  // its thread can be stopped from here on
      [&pipe, after] {
        sigset_t before;
        block_all_signals(&before);  // as other code may do in the middle of a task
        char byte = 0;
        EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1) << "the stop does not end it";
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        after();
      });
}
BlockedTask read_with_blocked_signals(ThreadGroup& group, const Pipe& pipe) {
  return read_with_blocked_signals(group, pipe, [] {});
}

std::string file_of_thread(const std::string& thread, const char* name) {
  std::ifstream file("/proc/self/task/" + thread + "/" + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Whether the stop signal is pending for the thread, because the thread blocks it.
bool blocks_pending_stop(int thread) {
  const std::string status = file_of_thread(std::to_string(thread), "status");
  const auto holds_signal = [&](const std::string& name) {
    const std::size_t at = status.find(name);
    return at != std::string::npos && (std::stoull(status.substr(at + name.size()), nullptr, 16) &
                                       (1ULL << (runtime::StopSignal::number() - 1))) != 0;
  };
  return holds_signal("SigPnd:") && holds_signal("SigBlk:");
}

// Whether a thread is asleep in a `write` to stderr.
bool is_stderr_waited_for() {
  const std::string in_write = std::to_string(SYS_write) + " 0x2 ";
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    if (file_of_thread(task.path().filename(), "syscall").starts_with(in_write)) return true;
  return false;
}
bool can_see_system_calls() { return !file_of_thread(std::to_string(::getpid()), "syscall").empty(); }

// Reports what is due, an hour from now; false if something is still on its way.
bool nothing_is_left_to_report() {
  return detail::CallRegistration::report_blocked(runtime::now() + 1h).is_never();
}

TEST_F(BlockedSignals, are_reported_once_with_thread_group_and_call_and_a_stop_reaches_the_thread_later) {
  const Pipe pipe;
  const StderrPipe reports;
  ThreadGroup group("blocks");
  const BlockedTask task = read_with_blocked_signals(group, pipe, [&] {
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
    EXPECT_EQ(errno, ECANCELED);
    sigset_t pending;
    ::sigpending(&pending);
    EXPECT_EQ(sigismember(&pending, SIGRTMAX - 3), 0) << "it has received the signal";
  });
  group.set_event("stop");
  EXPECT_TRUE(blocks_pending_stop(task.thread()));
  EXPECT_TRUE(nothing_is_left_to_report());
  const std::string line = reports.next_line();
  EXPECT_TRUE(nothing_is_left_to_report());
  EXPECT_TRUE(reports.is_empty()) << "one line: " << line;
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_EQ(line.rfind("threadgroup: ", 0), 0U) << line;
  for (const std::string& part :
       {"thread " + std::to_string(task.thread()) + " 'blocks'", std::string("'MainThread/blocks'"),
        std::string("its call of read"), "signal " + std::to_string(SIGRTMAX - 3)})
    EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
}

TEST_F(BlockedSignals, are_checked_some_time_after_the_stop) {
  const Pipe pipe;
  const StderrPipe reports;
  ThreadGroup group("blocks");
  read_with_blocked_signals(group, pipe);
  const auto begin = std::chrono::steady_clock::now();
  group.set_event("stop");
  EXPECT_NE(reports.next_line().find("its call of read"), std::string::npos);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 80ms) << "100 ms by a clock that is late by up to 10";
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_TRUE(group.join().failures.empty());
}

TEST_F(BlockedSignals, of_all_threads_that_one_stop_does_not_reach_are_reported) {
  const Pipe pipe;
  const StderrPipe reports;
  ThreadGroup group("blocks");
  std::array<std::string, 3> threads;
  for (std::string& thread : threads)
    thread = "thread " + std::to_string(read_with_blocked_signals(group, pipe).thread()) + " ";
  group.set_event("stop");
  std::string lines;
  for (std::size_t i = 0; i < threads.size(); ++i) lines += reports.next_line();
  for (const std::string& thread : threads) EXPECT_NE(lines.find(thread), std::string::npos) << lines;
  EXPECT_EQ(::write(pipe.writing(), "xxx", 3), 3);
  EXPECT_TRUE(group.join().failures.empty());
}

TEST_F(BlockedSignals, hold_up_no_deadline_while_stderr_is_full) {
  if (!can_see_system_calls()) GTEST_SKIP() << "the system does not show the system calls of threads";
  const Pipe pipe;
  const StderrPipe reports;
  reports.fill();
  ThreadGroup group("blocks");
  read_with_blocked_signals(group, pipe);
  group.set_event("stop");
  eventually([] { return is_stderr_waited_for(); });
  ThreadGroup limited("limited", {.time_limit = 1ms});
  limited.post([] { EXPECT_FALSE(thread_utils::event_aware_sleep(24h)); });
  EXPECT_TRUE(limited.join(20s)) << "the deadline does not come";
  EXPECT_NE(reports.next_line().find("'MainThread/blocks'"), std::string::npos);
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_TRUE(group.join().failures.empty());
}

TEST_F(BlockedSignals, are_reported_in_a_child_that_was_forked_before_the_check) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  const Pipe pipe;
  const StderrPipe reports;
  ThreadGroup group("blocks");
  read_with_blocked_signals(group, pipe);
  group.set_event("stop");
  EXPECT_EQ(in_child([] {
              const Pipe pipe_of_child;
              const StderrPipe reports_of_child;
              ThreadGroup other("other");
              read_with_blocked_signals(other, pipe_of_child);
              other.set_event("stop");
              REQUIRE_IN_CHILD(reports_of_child.next_line().find("/other'") != std::string::npos);
              REQUIRE_IN_CHILD(::write(pipe_of_child.writing(), "x", 1) == 1);
            }),
            0);
  EXPECT_NE(reports.next_line().find("/blocks'"), std::string::npos);
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_TRUE(group.join().failures.empty());
}

TEST_F(BlockedSignals, are_not_reported_of_threads_that_leave_their_calls_or_were_not_sent_a_signal) {
  const StderrPipe reports;
  for (int round = 0; round < 3; ++round) {
    ReadingTask task;
    EXPECT_FALSE(blocks_pending_stop(task.thread()));
    EXPECT_TRUE(nothing_is_left_to_report()) << "nothing was sent";
    task.stop();
    EXPECT_TRUE(nothing_is_left_to_report());
  }
  EXPECT_TRUE(reports.is_empty());
}

TEST_F(BlockedSignals, are_not_reported_of_threads_whose_call_a_handler_of_the_program_has_interrupted) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kHandlersWait;
  const Pipe pipe;
  const StderrPipe reports;
  ThreadGroup group("ordinary");
  const BlockedTask task(group, [&] {
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
  });
  SpinningHandler handler(task.thread());
  group.set_event("stop");
  // The library's handler has sent it again, for when the program's handler returns.
  eventually([&] { return blocks_pending_stop(task.thread()); });
  EXPECT_TRUE(nothing_is_left_to_report());
  handler.let_return();
  group.join();
  EXPECT_TRUE(reports.is_empty());
}

}  // namespace
}  // namespace blocked_signals_test
}  // namespace tg::test
