// SPDX-License-Identifier: Apache-2.0
// Calls that begin where little is permitted: in a child of `vfork`, and in a handler that has interrupted `malloc`.
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "posix/reading_task.hpp"
#include "posix/signal_test.hpp"
#include "support/eventually.hpp"
#include "support/pipe.hpp"
#include "support/signal_handler.hpp"
#include "support/threads_asleep.hpp"

namespace tg::test {
namespace first_calls_test {
namespace {

using namespace std::chrono_literals;

class FirstCalls : public SignalTest {};

// Calls as the child of `vfork`, which has its parent's memory.
template <class F>
void in_vfork_child(F f) {
  const pid_t child = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork): it is what is tested
  if (child == 0) {
    f();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
}

TEST_F(FirstCalls, of_a_vfork_child_leave_its_parent_stoppable) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << "the sanitizer makes a fork of it";
  const Pipe pipe;
  for (const bool is_registered : {false, true}) {
    ReadingTask task([&] {
      if (is_registered) posix::write(pipe.writing(), "x", 1);
      in_vfork_child([&] { posix::write(pipe.writing(), "x", 1); });
    });
    task.stop();
  }
}

TEST_F(FirstCalls, of_a_vfork_child_are_not_stopped_but_its_parent_is_when_it_goes_on) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << "the sanitizer makes a fork of it";
  const Pipe pipe;
  ThreadGroup group("signals");
  std::atomic<int> child{0};
  std::atomic<long> got{0};
  group.post([&] {
    posix::write(-1, "x", 1);
    in_vfork_child([&] {
      child = ::getpid();
      char byte = 0;
      got = posix::read(pipe.reading(), &byte, 1);
    });
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
    EXPECT_EQ(errno, ECANCELED);
  });
  eventually([&] { return child != 0 && is_asleep(child, child); });
  group.set_event("stop");
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_EQ(got, 1);
}

// --- First calls in a handler ---

constinit std::atomic<int> handler_writes_to{-1};
void write_in_handler(int) {
  const int error = errno;
  posix::write(handler_writes_to, "x", 1);
  errno = error;
}

// Each task begins on a thread of its own, so the handler's call is the first one; in a process that keeps no threads.
[[noreturn]] void make_first_calls_in_handlers() {
  constexpr std::size_t kThreads = 20;
  const Pipe pipe;
  handler_writes_to = pipe.writing();
  const SignalHandler handler(SIGUSR2, &write_in_handler);
  ThreadGroup group("signals", {.max_concurrent_threads = kThreads});
  std::atomic<bool> ends{false};
  std::array<std::atomic<int>, kThreads> threads{};
  std::array<std::atomic<long>, kThreads> rounds{};
  for (std::size_t i = 0; i < kThreads; ++i) {
    group.post([&, i] {
      for (threads[i] = this_thread_number(); !ends; ++rounds[i]) {
        for (int k = 0; k < 50; ++k) {
          void* volatile memory = std::malloc(5'000 + 64 * static_cast<std::size_t>(k));
          std::free(memory);
        }
      }
    });
  }
  eventually(
      [&] { return std::all_of(threads.begin(), threads.end(), [](const auto& one) { return one != 0; }); });
  for (const auto& thread : threads) ::syscall(SYS_tgkill, ::getpid(), thread.load(), SIGUSR2);
  std::array<char, kThreads> bytes{};
  for (std::size_t got = 0; got < kThreads;) {
    const ssize_t more = ::read(pipe.reading(), bytes.data(), bytes.size());
    if (more <= 0) ::_exit(1);
    got += static_cast<std::size_t>(more);
  }
  ends = true;
  ::_exit(group.join(20s) ? 0 : 1);
}

TEST_F(FirstCalls, may_be_made_in_a_handler_that_has_interrupted_malloc) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        ::alarm(30);
        make_first_calls_in_handlers();
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace first_calls_test
}  // namespace tg::test
