// SPDX-License-Identifier: Apache-2.0
// Real signals, each in a child process.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg {
namespace signal_shutdown_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr ShutdownPlan kLong{.drain = 1h, .stop = 1h};
constexpr ShutdownPlan kStopOnly{.stop = 1h};

void send(int number) { ::kill(::getpid(), number); }

std::atomic<int> earlier_calls{0};
std::atomic<int> later_calls{0};
struct sigaction replaced_by_later {};

void count_earlier(int) { ++earlier_calls; }
void count_later_and_chain(int number, siginfo_t* info, void* context) {
  ++later_calls;
  if ((replaced_by_later.sa_flags & SA_SIGINFO) != 0) replaced_by_later.sa_sigaction(number, info, context);
}

void install_earlier(int flags) {
  struct sigaction action {};
  action.sa_handler = count_earlier;
  action.sa_flags = flags;
  ::sigaction(SIGTERM, &action, nullptr);
}
void install_later() {
  struct sigaction action {};
  action.sa_sigaction = count_later_and_chain;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGTERM, &action, &replaced_by_later);
}

// Runs the body in a child process, which exits with 0.
#define TG_TEST_IN_CHILD(suite, name)                                 \
  static void suite##_##name();                                       \
  TEST(suite, name) { EXPECT_EQ(test::in_child(suite##_##name), 0); } \
  static void suite##_##name()

TG_TEST_IN_CHILD(SignalShutdownTest, first_signal_drains_all_groups) {
  const SignalShutdown on_signal(kLong);
  REQUIRE_IN_CHILD(on_signal.signal() == 0 && !on_signal.report());
  ThreadGroup group("work", {.max_concurrent_threads = 1});
  std::latch started(1);
  std::latch go(1);
  const auto first = group.add_task([&] {
    started.count_down();
    go.wait();
    return 1;
  });
  const auto pending = group.add_task([] { return 2; });
  started.wait();
  send(SIGTERM);
  eventually([&] { return group.is_draining(); });
  const auto refused = group.add_task([] {});
  REQUIRE_IN_CHILD(refused.reason()->kind == ReasonKind::draining);
  go.count_down();
  eventually([&] { return on_signal.report().has_value(); });
  REQUIRE_IN_CHILD(on_signal.report()->drained);
  REQUIRE_IN_CHILD(first.get() == 1 && pending.get() == 2);
  REQUIRE_IN_CHILD(on_signal.signal() == SIGTERM);
  REQUIRE_IN_CHILD(group.reason()->kind == ReasonKind::signal);
  REQUIRE_IN_CHILD(group.reason()->message == "SIGTERM");
}

TG_TEST_IN_CHILD(SignalShutdownTest, main_can_wait_for_it) {
  SignalShutdown on_signal(kLong);
  ThreadGroup group("work");
  // To the task's thread: ThreadSanitizer would run the handler of a thread that waits only when the wait is over.
  const auto task = group.add_task([] { ::pthread_kill(::pthread_self(), SIGTERM); });
  REQUIRE_IN_CHILD(on_signal.wait().drained);
  REQUIRE_IN_CHILD(task.done());
}

TG_TEST_IN_CHILD(SignalShutdownTest, without_time_to_drain_first_signal_stops) {
  const SignalShutdown on_signal(kStopOnly);
  ThreadGroup group("work");
  group.post([] { thread_utils::event_aware_sleep(1h); });
  send(SIGINT);
  group.join();
  REQUIRE_IN_CHILD(group.reason()->message == "SIGINT (Ctrl-C)");
}

TG_TEST_IN_CHILD(SignalShutdownTest, second_signal_stops_at_once) {
  const SignalShutdown on_signal(kLong);
  ThreadGroup group("work");
  std::latch started(1);
  group.post([&] {
    started.count_down();
    thread_utils::event_aware_sleep(1h);
  });
  started.wait();
  send(SIGTERM);
  eventually([&] { return group.is_draining(); });
  REQUIRE_IN_CHILD(!group.event_is_set());
  send(SIGINT);
  group.join();
  eventually([&] { return on_signal.report().has_value(); });
  REQUIRE_IN_CHILD(!on_signal.report()->drained && *on_signal.report());
}

TEST(SignalShutdownTest, third_signal_ends_the_process) {
  const int status = test::in_child([] {
    const SignalShutdown on_signal(kLong);
    ThreadGroup group("work");
    std::latch started(1);
    std::latch never(1);
    group.post([&] {
      started.count_down();
      never.wait();
    });
    started.wait();
    send(SIGTERM);
    eventually([&] { return group.is_draining(); });
    send(SIGTERM);
    eventually([&] { return group.event_is_set(); });
    send(SIGTERM);
    never.wait();
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TG_TEST_IN_CHILD(SignalShutdownTest, works_from_the_first_line_while_all_threads_block_the_signals) {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ThreadGroup earlier("earlier", {.max_concurrent_threads = 1});  // its thread blocks them, too
  std::latch started(1);
  earlier.post([&] {
    started.count_down();
    thread_utils::event_aware_sleep(1h);
  });
  started.wait();
  send(SIGTERM);  // waits until there is a thread for it
  const SignalShutdown on_signal(kStopOnly);
  earlier.join();
}

TG_TEST_IN_CHILD(SignalShutdownTest, works_while_all_groups_are_full_and_all_threads_wait) {
  const SignalShutdown on_signal(kStopOnly);
  ThreadGroup group("work", {.max_concurrent_threads = 3});
  std::latch started(3);
  for (int i = 0; i < 10; ++i) {
    group.post([&] {
      started.count_down();
      thread_utils::event_aware_sleep(1h);
    });
  }
  started.wait();
  send(SIGTERM);
  const JoinResult joined = group.join();
  REQUIRE_IN_CHILD(joined.counts.skipped == 7);
}

TG_TEST_IN_CHILD(SignalShutdownTest, calls_the_handler_that_was_there_before_and_restores_it) {
  install_earlier(SA_RESTART);
  {
    const SignalShutdown on_signal(kStopOnly);
    send(SIGTERM);
    eventually([&] { return on_signal.report().has_value(); });
    REQUIRE_IN_CHILD(earlier_calls == 1);
  }
  send(SIGTERM);
  REQUIRE_IN_CHILD(earlier_calls == 2);
  struct sigaction now {};
  ::sigaction(SIGTERM, nullptr, &now);
  REQUIRE_IN_CHILD(now.sa_handler == count_earlier);
  ::sigaction(SIGINT, nullptr, &now);
  REQUIRE_IN_CHILD(now.sa_handler == SIG_DFL);
}

TG_TEST_IN_CHILD(SignalShutdownTest, leaves_a_handler_that_came_later_and_serves_it) {
  install_earlier(SA_RESTART);
  ThreadGroup group("work");
  {
    const SignalShutdown on_signal(kStopOnly);
    install_later();
    send(SIGTERM);
    eventually([&] { return group.event_is_set(); });
  }
  REQUIRE_IN_CHILD(later_calls == 1 && earlier_calls == 1);
  send(SIGTERM);  // through the handler of the object that is gone
  REQUIRE_IN_CHILD(later_calls == 2 && earlier_calls == 2);
  ThreadGroup again("again");
  {
    const SignalShutdown on_signal(kStopOnly);  // in front of the later one
    send(SIGTERM);
    eventually([&] { return again.event_is_set(); });
    REQUIRE_IN_CHILD(later_calls == 3 && earlier_calls == 3);
  }
  struct sigaction now {};
  ::sigaction(SIGTERM, nullptr, &now);
  REQUIRE_IN_CHILD(now.sa_sigaction == count_later_and_chain);
}

TEST(SignalShutdownTest, gives_a_signal_its_default_action_back) {
  const int status = test::in_child([] {
    { const SignalShutdown on_signal(kLong); }
    send(SIGTERM);
    eventually([] { return false; });
  });
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(SignalShutdownTest, gives_back_the_default_action_behind_a_handler_that_came_later) {
  const int status = test::in_child([] {
    {
      const SignalShutdown on_signal(kLong);
      install_later();
    }
    send(SIGTERM);  // the later handler calls the one of the object that is gone
    eventually([] { return false; });
  });
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

// Whether a read is interrupted that waits while a signal comes.
bool read_is_interrupted(const SignalShutdown& on_signal) {
  std::array<int, 2> fds{};
  REQUIRE_IN_CHILD(::pipe(fds.data()) == 0);
  std::atomic<bool> reads{false};
  bool interrupted = false;
  std::thread reader([&] {
    char c = 0;
    reads = true;
    interrupted = ::read(fds[0], &c, 1) < 0 && errno == EINTR;
  });
  eventually([&] { return reads.load(); });
  test::leave_time(20ms);
  ::pthread_kill(reader.native_handle(), SIGTERM);
  // Under the thread sanitizer the handler runs when the call has returned.
  if (TG_THREAD_SANITIZER == 0) eventually([&] { return on_signal.signal() != 0; });
  test::leave_time(20ms);
  REQUIRE_IN_CHILD(::write(fds[1], "x", 1) == 1);
  reader.join();
  eventually([&] { return on_signal.signal() != 0; });
  return interrupted;
}

TG_TEST_IN_CHILD(SignalShutdownTest, restarts_system_calls_of_threads_that_were_there_before) {
  const SignalShutdown on_signal(kStopOnly);
  REQUIRE_IN_CHILD(!read_is_interrupted(on_signal));
}

TG_TEST_IN_CHILD(SignalShutdownTest, interrupts_system_calls_if_the_handler_before_did) {
  install_earlier(0);
  const SignalShutdown on_signal(kStopOnly);
  REQUIRE_IN_CHILD(read_is_interrupted(on_signal));
}

TG_TEST_IN_CHILD(SignalShutdownTest, is_made_once_at_a_time) {
  auto on_signal = std::make_unique<SignalShutdown>(kLong);
  bool refused = false;
  try {
    const SignalShutdown second(kLong);
  } catch (const std::logic_error&) {
    refused = true;
  }
  REQUIRE_IN_CHILD(refused);
  for (int i = 0; i < 20; ++i) {
    on_signal.reset();
    on_signal = std::make_unique<SignalShutdown>(kLong);
  }
  send(SIGTERM);
  eventually([&] { return on_signal->report().has_value(); });
}

TG_TEST_IN_CHILD(SignalShutdownTest, refuses_signals_that_cannot_be_caught) {
  int refused = 0;
  for (const int number : {SIGKILL, SIGSTOP, 0, 1000}) {
    try {
      const SignalShutdown on_signal(kLong, {number});
    } catch (const std::invalid_argument&) {
      ++refused;
    }
  }
  REQUIRE_IN_CHILD(refused == 4);
  const SignalShutdown on_signal(kLong, {SIGUSR1});  // nothing was kept
}

TG_TEST_IN_CHILD(SignalShutdownTest, signal_that_is_named_twice_counts_once) {
  install_earlier(0);
  {
    const SignalShutdown on_signal(kLong, {SIGTERM, SIGTERM});
    send(SIGTERM);
    REQUIRE_IN_CHILD(earlier_calls == 1);
    eventually([&] { return on_signal.report().has_value(); });
    REQUIRE_IN_CHILD(on_signal.report()->drained);
  }
  send(SIGTERM);
  REQUIRE_IN_CHILD(earlier_calls == 2);  // it was restored
}

TG_TEST_IN_CHILD(SignalShutdownTest, destructor_waits_for_a_shutdown_that_has_begun) {
  std::latch go(1);
  std::atomic<bool> ended{false};
  ThreadGroup group("work");
  std::thread releases;
  {
    const SignalShutdown on_signal(kLong);
    std::latch started(1);
    group.post([&] {
      started.count_down();
      go.wait();
      ended = true;
    });
    started.wait();
    send(SIGTERM);
    eventually([&] { return group.is_draining(); });
    releases = std::thread([&] {
      test::leave_time(20ms);
      go.count_down();
    });
  }
  REQUIRE_IN_CHILD(ended);
  releases.join();
}

TEST(SignalShutdownTest, in_a_forked_child_signals_do_what_they_did_before) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << test::kNoThreadsInChild;
  const int status = test::in_child([] {
    const SignalShutdown on_signal(kLong);
    const int grandchild = test::in_child([] {
      send(SIGTERM);
      eventually([] { return false; });
    });
    REQUIRE_IN_CHILD(WIFSIGNALED(grandchild) && WTERMSIG(grandchild) == SIGTERM);
    const int with_its_own = test::in_child([] {
      const SignalShutdown own(kStopOnly);
      ThreadGroup group("child's");
      send(SIGTERM);
      eventually([&] { return group.event_is_set(); });
    });
    REQUIRE_IN_CHILD(with_its_own == 0);
    REQUIRE_IN_CHILD(on_signal.signal() == 0);
  });
  EXPECT_EQ(status, 0);
}

TG_TEST_IN_CHILD(SignalShutdownTest, object_of_the_parent_is_destroyed_in_a_child) {
  auto on_signal = std::make_unique<SignalShutdown>(kLong);
  REQUIRE_IN_CHILD(test::in_child([&] { on_signal.reset(); }) == 0);
}

TG_TEST_IN_CHILD(SignalShutdownTest, names_on_stderr_what_runs_over) {
  std::array<int, 2> fds{};
  REQUIRE_IN_CHILD(::pipe(fds.data()) == 0);
  ::dup2(fds[1], STDERR_FILENO);
  std::latch go(1);
  {
    ThreadGroup group("work");
    {
      const SignalShutdown on_signal({.stop = 10ms});
      std::latch started(1);
      group.add_task(TaskName("stubborn"), [&] {
        started.count_down();
        go.wait();
      });
      started.wait();
      send(SIGTERM);
      eventually([&] { return on_signal.report().has_value(); });
      REQUIRE_IN_CHILD(!*on_signal.report());
    }
    go.count_down();
  }
  std::array<char, 4096> text{};
  REQUIRE_IN_CHILD(::read(fds[0], text.data(), text.size() - 1) > 0);
  const std::string said = text.data();
  REQUIRE_IN_CHILD(said.find("threadgroup: stopped, but 1 task runs on after 0.0") == 0);
  REQUIRE_IN_CHILD(said.find("  MainThread/work: 'stubborn' (for ") != std::string::npos);
}

}  // namespace
}  // namespace signal_shutdown_test
}  // namespace tg
