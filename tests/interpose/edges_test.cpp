// SPDX-License-Identifier: Apache-2.0
// Who is concerned by the interposer, and who is not.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <latch>
#include <string>
#include <string_view>
#include <thread>

#include <threadgroup/posix.hpp>
#include <threadgroup/process.hpp>
#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>
#if TG_INTERPOSE_WITH_FILES
#include <threadgroup/vault_json.hpp>
#endif

#include "interpose/programs/foreign.hpp"
#include "support/blocked_task.hpp"
#include "support/children.hpp"
#include "support/eventually.hpp"
#include "support/forbidden_call.hpp"
#include "support/in_child.hpp"
#include "support/pipe.hpp"
#include "support/signal_handler.hpp"
#include "support/temporary_folder.hpp"
#include "support/threads_asleep.hpp"

namespace tg::test {
namespace edges_test {
namespace {

using namespace std::chrono_literals;

// --- Foreign code ---

TEST(InterposedLibrary, that_reads_is_stopped_and_keeps_what_it_has_read) {
  const Pipe pipe;
  ASSERT_EQ(::write(pipe.writing(), "ab", 2), 2);
  std::array<char, 8> line{};
  stop_while_asleep([&] {
    EXPECT_EQ(foreign_read_line(pipe.reading(), line.data(), line.size()), -1);
    EXPECT_EQ(errno, ECANCELED);
  });
  EXPECT_STREQ(line.data(), "ab");
  ASSERT_EQ(::write(pipe.writing(), "cd\n", 3), 3);
  EXPECT_EQ(foreign_read_line(pipe.reading(), line.data(), line.size()), 2);
  EXPECT_STREQ(line.data(), "cd\n");
}

TEST(InterposedLibrary, that_polls_is_stopped) {
  const Pipe sockets = Pipe::of_sockets();
  stop_while_asleep([&] {
    std::array<char, 8> bytes{};
    EXPECT_EQ(foreign_receive(sockets.reading(), bytes.data(), bytes.size()), -1);
    EXPECT_EQ(errno, ECANCELED);
  });
}

// To `stat` it is a device of memory, as /dev/null is.
TEST(InterposedLibrary, that_follows_the_log_of_the_kernel_is_stopped) {
  const int log = ::open("/dev/kmsg", O_RDONLY);
  if (log < 0) GTEST_SKIP() << "the system does not let this user read /dev/kmsg";
  ::lseek(log, 0, SEEK_END);
  stop_while_asleep([&] {
    std::array<char, 8'192> record{};
    while (::read(log, record.data(), record.size()) > 0) {
    }
    EXPECT_EQ(errno, ECANCELED);
  });
  ::close(log);
}

TEST(InterposedLibrary, with_threads_of_its_own_is_left_alone_there) {
  const Pipe pipe;
  ThreadGroup group("blocked");
  std::atomic<int> thread{0};
  std::thread of_library([&] {
    thread = this_thread_number();
    std::array<char, 8> line{};
    EXPECT_EQ(foreign_read_line(pipe.reading(), line.data(), line.size()), 2);
  });
  eventually([&] { return thread != 0 && is_asleep(thread); });
  group.set_event("stop");
  EXPECT_EQ(::write(pipe.writing(), "ab\n", 3), 3);
  of_library.join();
}

// --- What is not stopped ---

TEST(Interposed, files_on_a_disk_can_be_opened_written_and_read_in_a_stopped_task) {
  const TemporaryFolder folder;
  const std::string name = folder.file("log");
  StopScope scope;
  scope.set_event("stop");
  const int file = ::open(name.c_str(), O_CREAT | O_RDWR, 0640);
  ASSERT_GE(file, 0);
  struct stat found {};
  ::fstat(file, &found);
  EXPECT_EQ(found.st_mode & 0700U, 0600U);
  EXPECT_EQ(::write(file, "abc", 3), 3);
  ::lseek(file, 0, SEEK_SET);
  std::array<char, 4> bytes{};
  EXPECT_EQ(::read(file, bytes.data(), 4), 3);
  EXPECT_STREQ(bytes.data(), "abc");
  EXPECT_EQ(::flock(file, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::flock(file, LOCK_UN), 0);
  EXPECT_EQ(::fcntl(file, F_GETFL) & O_ACCMODE, O_RDWR);
  ::close(file);
  const int random = ::open("/dev/urandom", O_RDONLY);
  EXPECT_EQ(::read(random, bytes.data(), 4), 4);
  ::close(random);
  EXPECT_EQ(::open(folder.file("none").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST(Interposed, files_on_a_disk_take_vectors_and_sendfile_in_a_stopped_task) {
  const TemporaryFolder folder;
  StopScope scope;
  scope.set_event("stop");
  const int file = ::open(folder.file("log").c_str(), O_CREAT | O_RDWR, 0640);
  const int copy = ::open(folder.file("copy").c_str(), O_CREAT | O_RDWR, 0640);
  std::array<char, 3> first{'a', 'b', 'c'};
  std::array<char, 2> second{'d', 'e'};
  const std::array<iovec, 2> parts{{{first.data(), first.size()}, {second.data(), second.size()}}};
  EXPECT_EQ(::writev(file, parts.data(), 2), 5);
  off_t begin = 0;
  EXPECT_EQ(::sendfile(copy, file, &begin, 5), 5);
  first = {};
  second = {};
  ::lseek(copy, 0, SEEK_SET);
  EXPECT_EQ(::readv(copy, parts.data(), 2), 5);
  EXPECT_EQ(first[0], 'a');
  EXPECT_EQ(second[1], 'e');
  ::close(file);
  ::close(copy);
}

TEST(Interposed, what_does_not_wait_is_done_in_a_stopped_task) {
  const pid_t child = ended_child(3);
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  ::pthread_kill(::pthread_self(), SIGUSR2);
  {
    StopScope scope;
    scope.set_event("stop");
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, WNOHANG), child);
    EXPECT_EQ(WEXITSTATUS(status), 3);
    int number = 0;
    EXPECT_EQ(::sigwait(&set, &number), 0);  // libpq does so with SIGPIPE
    EXPECT_EQ(number, SIGUSR2);
    EXPECT_EQ(::sigwait(&set, &number), ECANCELED);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Interposed, a_shield_lets_a_stopped_task_use_the_network) {
  const Pipe sockets = Pipe::of_sockets();
  StopScope scope;
  scope.set_event("stop");
  EXPECT_EQ(::send(sockets.reading(), "x", 1, 0), -1);
  const Shield shield(10s);
  EXPECT_EQ(::send(sockets.reading(), "x", 1, 0), 1);
}

TEST(Interposed, outside_of_groups_it_is_the_plain_call_which_pthread_cancel_ends) {
  EXPECT_EQ(::read(-1, nullptr, 0), -1);
  EXPECT_EQ(errno, EBADF);
  const Pipe pipe;
  int read_end = pipe.reading();
  pthread_t thread{};
  ASSERT_EQ(::pthread_create(
                &thread, nullptr,
                [](void* end) -> void* {
                  char byte = 0;
                  static_cast<void>(::read(*static_cast<int*>(end), &byte, 1));
                  return nullptr;
                },
                &read_end),
            0);
  ::pthread_cancel(thread);
  void* result = nullptr;
  ::pthread_join(thread, &result);
  EXPECT_EQ(result, PTHREAD_CANCELED);
}

TEST(Interposed, in_a_simulated_program_it_is_the_plain_call) {
  const Pipe pipe;
  const sim::Report report = sim::explore({.schedules = 3}, [&] {
    ThreadGroup group("simulated");
    const auto got = group.add_task([&] {
      char byte = 0;
      return ::write(pipe.writing(), "x", 1) == 1 && ::read(pipe.reading(), &byte, 1) == 1;
    });
    sim::check(got.get(), "a byte came through the pipe");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(Interposed, an_error_that_the_system_has_in_common_with_a_stop_is_passed_on) {
  if (!can_forbid()) GTEST_SKIP() << kNeedsFilters;
  EXPECT_EQ(in_child([] {
              const Pipe pipe;
              const StopScope scope;
              REQUIRE_IN_CHILD(forbid(SYS_write, ECANCELED));
              // One more try, by another call of the system, would succeed.
              const bool is_passed_on = ::write(pipe.writing(), "x", 1) == -1 && errno == ECANCELED;
              ::_exit(is_passed_on ? 0 : 1);  // before a sanitizer writes, too
            }),
            0);
}

// --- Handlers of the program ---

TEST(Interposed, a_sleep_that_a_handler_interrupts_returns_the_full_seconds_that_are_left) {
  static std::atomic<unsigned> left{9};
  const SignalHandler handler(SIGUSR1, [](int) {});
  ThreadGroup group("sleeps");
  const BlockedTask task(group, [] { left = ::sleep(1); });
  ::syscall(SYS_tgkill, ::getpid(), task.thread(), SIGUSR1);
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_EQ(left, 0U);
}

// --- Masks ---

bool blocks(int number) {
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return ::sigismember(&mask, number) == 1;
}

TEST(Interposed, masks_of_a_task_leave_out_the_signal_that_stops_calls) {
  const int stop_signal = SIGRTMAX - 3;
  const Pipe pipe;
  stop_while_asleep([&] {
    char byte = 0;
    {
      const StopScope now(0s);
      EXPECT_EQ(::read(pipe.reading(), &byte, 1),
                -1);  // the first call, which makes the thread one that can be stopped
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    EXPECT_EQ(::pthread_sigmask(SIG_SETMASK, &all, &before), 0);
    EXPECT_TRUE(blocks(SIGUSR2));
    EXPECT_FALSE(blocks(stop_signal));
    EXPECT_EQ(::sigprocmask(SIG_BLOCK, &all, nullptr), 0);
    EXPECT_FALSE(blocks(stop_signal));
    EXPECT_EQ(::read(pipe.reading(), &byte, 1), -1);
    EXPECT_EQ(errno, ECANCELED);
    EXPECT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
    EXPECT_FALSE(blocks(SIGUSR2));
  });
}

// --- The library's own calls ---

TEST(InterposedProgram, ends_the_commands_of_a_stopped_task_and_keeps_their_output) {
  ProcessResult result;
  ThreadGroup group("commands");
  std::latch is_running(1);
  std::string line;
  group.post([&] {
    result = run_process({"/bin/sh", "-c", "echo more >&2; echo begun; exec sleep 1000"},
                         {.out = Output::lines([&](std::string_view got) {
                            line = got;
                            is_running.count_down();
                          })});
  });
  is_running.wait();
  group.set_event("stop");
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_TRUE(result.status.stopped);
  EXPECT_EQ(line, "begun");
  EXPECT_EQ(result.err, "more\n");
}

TEST(InterposedProgram, wakes_a_task_that_polls_from_a_stopped_one) {
  const Pipe pipe;
  Channel<int> channel(1);
  ThreadGroup group("polls");
  int got = 0;
  const BlockedTask task(group, [&] {
    tg::select(receive_from(channel, [&](int&& value) { got = value; }), readable(pipe.reading(), [] {}));
  });
  StopScope scope;
  scope.set_event("stop");
  channel.try_send(7);
  pollfd stopped{stop_fd(), POLLIN, 0};
  const Shield shield(10s);
  group.join();
  EXPECT_EQ(got, 7);
  EXPECT_EQ(::poll(&stopped, 1, 0), 1);
}

#if TG_INTERPOSE_WITH_FILES
TEST(InterposedProgram, writes_its_vault_in_a_stopped_task) {
  const TemporaryFolder folder;
  const Key<int> answer("answer");
  {
    StopScope scope;
    scope.set_event("stop");
    Vault vault("written", {answer});
    JsonResource json(folder.file("v.json"), JsonMode::append);
    json.attach(vault, {answer});
    vault.insert(answer, 42);
  }
  Vault vault("read", {answer});
  JsonResource json(folder.file("v.json"), JsonMode::append);
  json.attach(vault, {answer});
  EXPECT_EQ(vault.get(answer), 42);
}
#endif

// --- Refusals ---

TEST(InterposedProgramDeathTest,
     that_handles_the_signal_itself_says_so_once_and_makes_plain_calls_until_it_chooses_another_signal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::signal(SIGRTMAX - 3, [](int) {});
        const Pipe pipe;
        StopScope scope;
        scope.set_event("stop");
        char byte = 0;
        const bool is_plain =
            ::write(pipe.writing(), "ab", 2) == 2 && ::read(pipe.reading(), &byte, 1) == 1 && byte == 'a';
        posix::use_signal(SIGRTMAX - 5);
        const bool is_stopped = ::read(pipe.reading(), &byte, 1) == -1 && errno == ECANCELED;
        std::exit(is_plain && is_stopped ? 0 : 1);
      },
      testing::ExitedWithCode(0),
      "^threadgroup: a stop will not end the calls of other libraries: tg::posix: signal 61 [^\n]*\n$");
}

}  // namespace
}  // namespace edges_test
}  // namespace tg::test
