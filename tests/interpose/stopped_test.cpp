// SPDX-License-Identifier: Apache-2.0
// What a stopped task still does, because it does not wait; and how its loops end.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include <threadgroup/threadgroup.hpp>

#include "support/forbidden_call.hpp"
#include "support/pipe.hpp"
#include "support/temporary_folder.hpp"

#define TG_CALLS  // the functions of the C library

namespace tg::test {
namespace stopped_test {
namespace {

using namespace std::chrono_literals;

class StoppedCaller : public testing::Test {
 protected:
  StoppedCaller() { scope_.set_event("stop"); }
  StopScope scope_;
};

void make_nonblocking(int fd) { ASSERT_EQ(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK), 0); }

// The processor time of the calling thread.
double seconds_of_processor() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// --- Descriptors that do not block ---

TEST_F(StoppedCaller, wakes_another_thread_by_an_eventfd) {
  for (const int flags : {0, static_cast<int>(EFD_NONBLOCK)}) {
    const int counter = ::eventfd(0, flags);
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(counter, &one, sizeof one), 8);
    const Shield shield(10s);
    std::uint64_t count = 0;
    EXPECT_EQ(::read(counter, &count, sizeof count), 8);
    EXPECT_EQ(count, 1U);
    ::close(counter);
  }
}

TEST_F(StoppedCaller, uses_pipes_that_do_not_block) {
  const Pipe pipe;
  make_nonblocking(pipe.reading());
  make_nonblocking(pipe.writing());
  std::array<char, 8> bytes{};
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_EQ(::read(pipe.reading(), bytes.data(), 8), 1);
  EXPECT_EQ(::read(pipe.reading(), bytes.data(), 8), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(StoppedCaller, learns_that_a_lock_is_taken_without_waiting_for_it) {
  const TemporaryFolder folder;
  const int file = ::open(folder.file("locked").c_str(), O_CREAT | O_RDWR, 0600);
  const int other = ::open(folder.file("locked").c_str(), O_RDWR);
  EXPECT_EQ(::lockf(file, F_TLOCK, 0), 0);
  EXPECT_EQ(::lockf(file, F_TEST, 0), 0);
  EXPECT_EQ(::lockf(file, F_ULOCK, 0), 0);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  EXPECT_EQ(::fcntl(other, F_OFD_SETLK, &whole), 0);
  EXPECT_EQ(::lockf(file, F_TLOCK, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(::lockf(file, F_LOCK, 0), -1);
  EXPECT_EQ(errno, ECANCELED);
  EXPECT_EQ(::flock(other, LOCK_EX), -1);
  EXPECT_EQ(errno, ECANCELED);
  EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::flock(file, LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  ::close(other);
  ::close(file);
}

TEST_F(StoppedCaller, learns_that_a_descriptor_is_not_open) {
  EXPECT_EQ(::read(-1, nullptr, 0), -1);
  EXPECT_EQ(errno, EBADF);
}

// --- Arguments that the kernel rejects ---

// By pointers, for the headers declare some arguments as never null.
constexpr int (*kSleep)(const timespec*, timespec*) = &TG_CALLS::nanosleep;
constexpr int (*kSleepOn)(clockid_t, int, const timespec*, timespec*) = &TG_CALLS::clock_nanosleep;
constexpr int (*kThreadSleep)(const timespec*, timespec*) = &::thrd_sleep;
constexpr int (*kWaitForSignal)(const sigset_t*, siginfo_t*, const timespec*) = &::sigtimedwait;
constexpr int (*kWait)(const sigset_t*, int*) = &::sigwait;
constexpr int (*kSemaphores)(int, sembuf*, std::size_t) = &::semop;

void expect_that_null_is_rejected() {
  const auto fails = [](int result) { return result == -1 && errno == EFAULT; };
  timespec left{-7, -7};
  EXPECT_TRUE(fails(kSleep(nullptr, &left)));
  EXPECT_TRUE(fails(kSleep(nullptr, nullptr)));
  EXPECT_EQ(kSleepOn(CLOCK_MONOTONIC, 0, nullptr, &left), EFAULT);
  EXPECT_EQ(kSleepOn(CLOCK_MONOTONIC, TIMER_ABSTIME, nullptr, nullptr), EFAULT);
  EXPECT_EQ(kThreadSleep(nullptr, &left), -2);
  int number = 0;
  EXPECT_TRUE(fails(kWaitForSignal(nullptr, nullptr, nullptr)));
  EXPECT_EQ(kWait(nullptr, &number), EFAULT);
  EXPECT_EQ(left.tv_sec, -7);
  const int set = ::semget(IPC_PRIVATE, 1, 0600);
  EXPECT_TRUE(fails(kSemaphores(set, nullptr, 1)));
  ::semctl(set, 0, IPC_RMID);
}

TEST_F(StoppedCaller, learns_that_an_argument_is_null) { expect_that_null_is_rejected(); }

TEST(InterposedCaller, learns_that_an_argument_is_null) {
  expect_that_null_is_rejected();
  const StopScope scope;
  expect_that_null_is_rejected();
}

void expect_that_times_are_checked() {
  const timespec invalid{0, -1};
  const timespec hour{3'600, 0};
  timespec left{-7, -7};
  EXPECT_EQ(TG_CALLS::nanosleep(&invalid, &left), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(TG_CALLS::clock_nanosleep(12'345, 0, &hour, &left), EINVAL);
  EXPECT_EQ(left.tv_sec, -7) << "it is written only by a sleep that was interrupted";
}

TEST_F(StoppedCaller, learns_that_a_time_or_clock_is_invalid) { expect_that_times_are_checked(); }

TEST(InterposedCaller, learns_that_a_time_or_clock_is_invalid) {
  const StopScope scope;
  expect_that_times_are_checked();
}

// --- Output ---

TEST_F(StoppedCaller, writes_what_a_pipe_has_room_for) {
  const Pipe pipe;
  EXPECT_EQ(::write(pipe.writing(), "abc", 3), 3);
  const iovec part{const_cast<char*>("de"), 2};
  EXPECT_EQ(::writev(pipe.writing(), &part, 1), 2);
  const std::string much(1 << 20, 'x');
  const ssize_t written = ::write(pipe.writing(), much.data(), much.size());
  EXPECT_GT(written, 0);
  EXPECT_LT(written, 1 << 20);
  pipe.fill();
  EXPECT_EQ(::write(pipe.writing(), "f", 1), -1);
  EXPECT_EQ(errno, ECANCELED);
}

TEST_F(StoppedCaller, writes_to_a_terminal) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_TRUE(::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0);
  EXPECT_EQ(::write(terminal, "abc", 3), 3);
  ::close(terminal);
}

// Ends the program. In each round two threads write at the same time, the pipe has room for one of them, and no thread reads.
void write_by_two_stopped_threads() {
  constexpr int kRounds = 500;
  constexpr std::size_t kPage = 4'096;
  ::alarm(60);
  const Pipe pipe;
  std::array<char, kPage> page{};
  std::atomic<int> round{0};
  std::atomic<int> written{0};
  std::atomic<int> refused{0};
  const auto write_a_page = [&] {
    const std::array<char, kPage> bytes{};
    StopScope scope;
    scope.set_event("stop");
    if (::write(pipe.writing(), bytes.data(), kPage) == kPage) ++written;
    else if (errno == ECANCELED) ++refused;
    else ::_exit(3);
  };
  std::jthread other([&] {
    for (int mine = 1; mine <= kRounds; ++mine) {
      while (round < mine) {  // without sleep, so that both begin in the same moment
      }
      write_a_page();
    }
  });
  for (int all = 1; all <= kRounds; ++all) {
    pipe.fill();
    if (::read(pipe.reading(), page.data(), kPage) != kPage) ::_exit(4);
    round = all;
    write_a_page();
    while (written + refused < 2 * all) std::this_thread::yield();
  }
  const bool still_blocks = (::fcntl(pipe.writing(), F_GETFL) & O_NONBLOCK) == 0;
  ::_exit(written == kRounds && still_blocks ? 0 : 5);
}

TEST(StoppedCallerDeathTest, does_not_wait_for_room_in_a_pipe_where_the_kernel_cannot_try) {
  if (!can_forbid()) GTEST_SKIP() << kNeedsFilters;
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        if (!forbid(SYS_pwritev2, EOPNOTSUPP)) ::_exit(2);
        write_by_two_stopped_threads();
      },
      testing::ExitedWithCode(0), "");
}

// Ends the program.
void write_in_a_stopped_scope_and_after_it() {
  const Pipe pipe;
  ::dup2(pipe.writing(), 1);
  std::ios::sync_with_stdio(false);
  {
    StopScope scope;
    scope.set_event("stop");
    std::cout << "from a stopped scope\n" << std::flush;
  }
  std::cout << "and after it\n" << std::flush;
  std::array<char, 4096> bytes{};
  const ssize_t count = ::read(pipe.reading(), bytes.data(), bytes.size());
  const std::string written(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  ::_exit(written.find("from a stopped scope\nand after it\n") != std::string::npos ? 0 : 1);
}

TEST(StoppedCallerDeathTest, does_not_break_the_standard_output) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(write_in_a_stopped_scope_and_after_it(), testing::ExitedWithCode(0), "");
}

// Ends the program with success if it can write to the pipe.
struct WritesWhenDestroyed {
  const Pipe pipe;
  ~WritesWhenDestroyed() { ::_exit(::write(pipe.writing(), "x", 1) == 1 ? 0 : 1); }
};

TEST(StoppedCallerDeathTest, writes_to_pipes_in_destructors_at_exit) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        static const WritesWhenDestroyed log;
        StopScope scope;
        scope.set_event("stop");
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

// --- Sleeps ---

TEST_F(StoppedCaller, ends_a_loop_that_sleeps_for_the_seconds_that_are_left) {
  int rounds = 0;
  for (unsigned left = 3; (left = ::sleep(left)) > 0;) ASSERT_LT(++rounds, 10);
}

TEST_F(StoppedCaller, ends_a_loop_that_sleeps_for_the_time_that_is_left) {
  int rounds = 0;
  const double before = seconds_of_processor();
  for (timespec left{0, 300'000'000}; TG_CALLS::nanosleep(&left, &left) != 0;) ASSERT_LT(++rounds, 100);
  rounds = 0;
  for (timespec left{0, 100'000'000}; ::thrd_sleep(&left, &left) != 0;) ASSERT_LT(++rounds, 100);
  EXPECT_LT(seconds_of_processor() - before, 0.1);
}

TEST_F(StoppedCaller, polls_with_sleeps_without_keeping_a_processor_busy) {
  const auto before = std::chrono::steady_clock::now();
  constexpr int kRounds = 10;
  const timespec hour{3'600, 0};
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(TG_CALLS::usleep(3'600'000'000U), -1);
    EXPECT_EQ(errno, ECANCELED);
    EXPECT_EQ(TG_CALLS::nanosleep(&hour, nullptr), -1);
    EXPECT_EQ(errno, ECANCELED);
    EXPECT_EQ(TG_CALLS::clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, nullptr), ECANCELED);
    EXPECT_EQ(::thrd_sleep(&hour, nullptr), -2);
    EXPECT_EQ(TG_CALLS::usleep(1'000), 0);
  }
  EXPECT_GE(std::chrono::steady_clock::now() - before, kRounds * (4 * 10ms + 1ms));
}

TEST_F(StoppedCaller, sleeps_until_a_time_without_keeping_a_processor_busy) {
  const double before = seconds_of_processor();
  timespec deadline{};
  ::clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += 1;
  int rounds = 0;
  while (TG_CALLS::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr) != 0)
    ASSERT_LT(++rounds, 200);
  EXPECT_LT(seconds_of_processor() - before, 0.2);
}

// --- Cancellation ---

TEST(InterposedWait, is_cancelled_outside_of_groups) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  using Body = void* (*)(void*);
  constexpr std::array<Body, 2> kWaits{[](void*) -> void* {
                                         ::wait3(nullptr, 0, nullptr);
                                         return nullptr;
                                       },
                                       [](void*) -> void* {
                                         ::wait4(-1, nullptr, 0, nullptr);
                                         return nullptr;
                                       }};
  for (const Body wait : kWaits) {
    pthread_t thread{};
    ASSERT_EQ(::pthread_create(&thread, nullptr, wait, nullptr), 0);
    ::pthread_cancel(thread);
    void* result = nullptr;
    ::pthread_join(thread, &result);
    EXPECT_EQ(result, PTHREAD_CANCELED);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace stopped_test
}  // namespace tg::test
