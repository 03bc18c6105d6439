// SPDX-License-Identifier: Apache-2.0
// Stops, and what a command leaves behind.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/process.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "process/marked.hpp"
#include "runtime/stoppable_call.hpp"
#include "support/eventually.hpp"
#include "support/forbidden_call.hpp"
#include "support/in_child.hpp"
#include "support/signal_handler.hpp"

namespace tg::test {
namespace process_test {
namespace {

using namespace std::chrono_literals;

TEST(Process, is_ended_by_a_stop_of_its_group) {
  const Mark mark;
  ThreadGroup group("commands");
  std::atomic<pid_t> pid{0};
  const auto task = group.add_task([&] {
    Process process({"sleep", "1000"}, marked(mark));
    pid = process.pid();
    return process.wait();
  });
  eventually([&] { return pid != 0; });
  EXPECT_EQ(mark.processes(), std::vector<pid_t>{pid});
  const auto start = std::chrono::steady_clock::now();
  group.set_event("stop");
  const ExitStatus status = task.get();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s) << "TERM has ended it, not the grace of 5 s";
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.signal, SIGTERM);
  EXPECT_EQ(status.killed, 0);
  EXPECT_EQ(status.text(), "stopped: killed by signal 15 (Terminated)");
  EXPECT_EQ(mark.count(), 0U);
  EXPECT_FALSE(has_children());
}

TEST(Process, is_ended_by_a_deadline_with_descendants_that_ignore_term) {
  const Mark mark;
  Process process(shell(kStubborn), marked(mark, 100ms));
  eventually([&] { return mark.count() == 4; });
  const StopScope scope(1ms);
  const ExitStatus status = process.wait();
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.signal, SIGKILL);
  EXPECT_EQ(status.killed, 4) << "an ignored signal stays ignored in `sleep`";
  EXPECT_EQ(mark.count(), 0U);
}

TEST(Process, is_not_started_in_a_stopped_task) {
  ThreadGroup group("commands");
  std::latch there(1);
  const auto task = group.add_task([&] {
    there.count_down();
    thread_utils::event_aware_sleep(1h);
    Process process({"/no/such/program"});
    EXPECT_EQ(process.pid(), 0);
    EXPECT_FALSE(process.send_signal(SIGTERM));
    return process.wait();
  });
  there.wait();
  group.set_event("stop");
  const ExitStatus status = task.get();
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.text(), "stopped: not started");
}

TEST(Process, is_ended_with_its_object) {
  const Mark mark;
  {
    const Process process(shell(kStubborn), marked(mark, 0ms));
    eventually([&] { return mark.count() == 4; });
  }
  EXPECT_EQ(mark.count(), 0U);
  EXPECT_FALSE(has_children());
}

TEST(Process, that_writes_more_than_a_pipe_holds_is_ended_with_its_object) {
  const Mark mark;
  ProcessOptions options = marked(mark);
  options.out = Output::captured();
  { const Process process(shell("head -c 1000000 /dev/zero"), std::move(options)); }
  EXPECT_EQ(mark.count(), 0U);
}

TEST(Process, ends_descendants_that_its_command_has_left) {
  const Mark mark;
  const ProcessResult result = run_process(shell("setsid sleep 1000 >/dev/null 2>&1 & exit 4"), marked(mark));
  EXPECT_EQ(result.status.code, 4);
  EXPECT_FALSE(result.status.stopped);
  EXPECT_EQ(mark.count(), 0U);
}

TEST(Process, leaves_descendants_running_if_they_may_stay) {
  const Mark mark;
  ProcessOptions options = marked(mark);
  options.descendants_may_stay = true;
  EXPECT_TRUE(
      run_process(shell("setsid sleep 1000 >/dev/null 2>&1 & exit 0"), std::move(options)).status.ok());
  eventually([&] { return mark.count() == 1; });
  ::kill(mark.processes().at(0), SIGKILL);
}

TEST(Process, gets_signals_until_it_has_ended) {
  Process process(shell("trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done"));
  EXPECT_THROW(process.send_signal(0), std::invalid_argument);
  leave_time(50ms);
  EXPECT_TRUE(process.send_signal(SIGUSR1));
  const ExitStatus status = process.wait();
  EXPECT_TRUE(status.code == 9 || status.signal == SIGUSR1) << status.text();
  EXPECT_FALSE(process.send_signal(SIGUSR1));
  EXPECT_EQ(process.wait().text(), status.text());
}

// Commands that ignore TERM and fork twice. The time from the grace to the last end is recorded, not asserted.
TEST(ManyProcesses, that_ignore_term_are_gone_soon_after_the_grace) {
  constexpr int kCommands = detail::kSanitized ? 20 : 200;
  const Mark mark;
  ThreadGroup group("commands", {.max_concurrent_threads = static_cast<std::size_t>(kCommands)});
  std::latch there(kCommands);
  std::atomic<int> killed{0};
  for (int i = 0; i < kCommands; ++i) {
    group.post([&] {
      Process process(shell(kStubborn), marked(mark, 2s));
      there.count_down();
      killed += process.wait().killed;
    });
  }
  there.wait();
  eventually([&] { return mark.count() == std::size_t{4} * kCommands; });
  const auto start = std::chrono::steady_clock::now();
  group.set_event("stop");
  EXPECT_TRUE(group.join().failures.empty());
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(mark.count(), 0U);
  EXPECT_EQ(killed, 4 * kCommands);
  EXPECT_FALSE(has_children());
  RecordProperty("milliseconds_after_the_grace",
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took - 2s).count()));
}

TEST(Process, leaves_its_command_alone_when_a_forked_child_destroys_it) {
  const Mark mark;
  Process sleeper({"sleep", "1000"}, marked(mark));
  EXPECT_EQ(in_child([&] { const Process theirs(std::move(sleeper)); }), 0);
  EXPECT_EQ(mark.count(), 1U);
}

TEST(Process, works_while_the_program_ignores_sigchld) {
  EXPECT_EQ(in_child([] {
              std::signal(SIGCHLD, SIG_IGN);
              REQUIRE_IN_CHILD(run_process({"true"}).status.ok());
              REQUIRE_IN_CHILD(run_process({"false"}).status.code == 1);
            }),
            0);
}

TEST(Process, works_while_another_thread_reaps_all_children) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << kNoThreadsInChild;
  EXPECT_EQ(in_child([] {
              std::atomic<bool> over{false};
              std::thread reaper([&] {
                while (!over) ::waitpid(-1, nullptr, WNOHANG);
              });
              for (int i = 0; i < 20; ++i) REQUIRE_IN_CHILD(run_process({"false"}).status.code == 1);
              over = true;
              reaper.join();
            }),
            0);
}

TEST(Process, works_while_the_program_has_no_standard_descriptors) {
  EXPECT_EQ(in_child([] {
              for (int fd = 0; fd < 3; ++fd) ::close(fd);
              const ProcessResult result = run_process(shell("echo out; echo err >&2"));
              REQUIRE_IN_CHILD(result.out == "out\n" && result.err == "err\n");
              ProcessOptions own;
              own.input = Input::inherited();
              REQUIRE_IN_CHILD(Process({"cat"}, std::move(own)).wait().ok());
            }),
            0);
}

// What it opens must not get their numbers: the program, or another command, would write there.
TEST(Process, leaves_the_numbers_of_standard_descriptors_free) {
  EXPECT_EQ(in_child([] {
              for (int fd = 0; fd < 3; ++fd) ::close(fd);
              ProcessOptions options;
              options.input = Input::text("in");
              options.out = Output::captured();
              options.err = Output::captured();
              const Process process({"sleep", "1000"}, std::move(options));
              for (int fd = 0; fd < 3; ++fd) REQUIRE_IN_CHILD(::fcntl(fd, F_GETFD) < 0 && errno == EBADF);
            }),
            0);
}

TEST(Process, gets_as_its_input_nothing_that_the_program_prints_to_a_standard_output_that_it_has_closed) {
  EXPECT_EQ(in_child([] {
              static volatile std::sig_atomic_t printed = 0;
              const SignalHandler handler(SIGPROF, [](int) {
                const int error = errno;
                if (::write(STDOUT_FILENO, "x", 1) == 1) printed = 1;
                errno = error;
              });
              ProcessOptions options;
              options.input = Input::text(std::string(64'000'000, 'a'));  // takes longer than the timer
              ::close(STDOUT_FILENO);
              const itimerval soon{{}, {0, 3'000}};
              ::setitimer(ITIMER_PROF, &soon, nullptr);
              REQUIRE_IN_CHILD(run_process({"true"}, std::move(options)).status.ok());
              REQUIRE_IN_CHILD(printed == 0);
            }),
            0);
}

TEST(Process, is_ended_and_reaped_if_the_program_cannot_have_a_descriptor_for_it) {
  if (!can_forbid()) GTEST_SKIP() << kNeedsFilters;
  EXPECT_EQ(in_child([] {
              const Mark mark;
              REQUIRE_IN_CHILD(run_process({"true"}).status.ok());
              REQUIRE_IN_CHILD(forbid(SYS_pidfd_open, EMFILE));
              ProcessOptions options = marked(mark);
              options.ends_with_program = false;
              try {
                const Process process({"sleep", "1000"}, std::move(options));
                return 2;
              } catch (const std::system_error& e) {
                REQUIRE_IN_CHILD(e.code().value() == EMFILE);
              }
              REQUIRE_IN_CHILD(mark.count() == 0 && !has_children());
              return 0;
            }),
            0);
}

TEST(Process, leaves_nothing_behind_if_descriptors_run_out_while_it_starts) {
  for (const bool has_standard : {true, false}) {
    EXPECT_EQ(
        in_child([&] {
          REQUIRE_IN_CHILD(run_process({"true"}).status.ok());
          for (int fd = 0; fd < 3 && !has_standard; ++fd) ::close(fd);
          const Mark mark;
          // The sanitizer opens a pipe when it first checks the type of an object, and takes a failure for a fault.
          REQUIRE_IN_CHILD(!std::system_error(EMFILE, std::generic_category(), "").code().message().empty());
          for (rlim_t most = 5; most < 100; ++most) {
            const rlimit limit{most, 100};
            REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
            try {
              Process process({"true"}, marked(mark));
              return process.wait().ok() ? 0 : 2;
            } catch (const std::system_error&) {
              REQUIRE_IN_CHILD(!has_children());
            }
          }
          return 3;
        }),
        0);
  }
}

TEST(ProcessDeathTest, is_not_started_if_a_stop_could_not_end_the_wait_for_it) {
  if (!runtime::kHasStoppableCalls) GTEST_SKIP() << "calls poll, without a signal";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::signal(SIGRTMAX - 3, [](int) {});
        const StopScope scope;
        EXPECT_THROW(Process({"true"}), std::system_error);
        EXPECT_FALSE(has_children());
        std::exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Process, says_that_its_supervisor_was_killed_and_the_command_is_killed_too) {
  const Mark mark;
  Process process({"sleep", "1000"}, marked(mark));
  ::kill(supervisor_of(process), SIGKILL);
  EXPECT_THROW(process.wait(), std::runtime_error);
  eventually([&] { return mark.count() == 0; });
}

// Orders that the supervisor has not read when it ends reset the connection; its reports are there all the same.
TEST(Process, reports_its_exit_status_although_the_supervisor_left_orders_unread) {
  Process process(shell("sleep 0.05; exit 7"));
  const pid_t supervisor = supervisor_of(process);
  ::kill(supervisor, SIGSTOP);
  for (int i = 0; i < 5; ++i) process.send_signal(SIGCONT);
  std::ifstream stat;
  eventually([&] {  // a zombie, which the supervisor has not reaped yet
    stat.close();
    stat.open("/proc/" + std::to_string(process.pid()) + "/stat");
    std::string text;
    std::getline(stat, text);
    return text.find(") Z ") != std::string::npos;
  });
  ::kill(supervisor, SIGCONT);
  EXPECT_EQ(process.wait().code, 7);
}

TEST(Process, belongs_to_the_process_that_has_started_it) {
  const Mark mark;
  Process process({"sleep", "1000"}, marked(mark));
  EXPECT_EQ(in_child([&] {
              REQUIRE_IN_CHILD(throws_forked([&] { process.wait(); }));
              REQUIRE_IN_CHILD(!process.send_signal(SIGKILL));
            }),
            0);
  EXPECT_EQ(mark.count(), 1U);
}

TEST(Process, whose_command_starts_another_on_term_ends_before_the_grace) {
  const Mark mark;
  Process process(shell("trap 'sleep 1000; exit 0' TERM; echo ready; sleep 1000 & wait"), marked(mark, 1h));
  eventually([&] { return mark.count() == 2; });
  leave_time(50ms);
  const StopScope scope(1ms);
  const ExitStatus status = process.wait();
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.killed, 0);
}

}  // namespace
}  // namespace process_test
}  // namespace tg::test
