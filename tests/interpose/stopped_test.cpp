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
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include <threadgroup/threadgroup.hpp>

#include "support/children.hpp"
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

rusage used_by_thread() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return used;
}

// The processor time of the calling thread.
double seconds_of_processor() {
  const rusage used = used_by_thread();
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

// Called through pointers, because the headers declare some arguments as non-null.
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

TEST_F(StoppedCaller, sleeps_for_a_short_time_and_no_longer_where_it_asks_for_no_rest) {
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
  EXPECT_GE(std::chrono::steady_clock::now() - before, kRounds * 1ms);
}

// SQLite's wait for a locked database: a minute, in sleeps of 0.1 s.
TEST_F(StoppedCaller, ends_a_loop_that_counts_its_sleeps) {
  const auto before = std::chrono::steady_clock::now();
  for (int sleeps = 0; sleeps < 600; ++sleeps) TG_CALLS::usleep(100'000);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
  const double processor = seconds_of_processor();
  for (int sleeps = 0; sleeps < 3'000; ++sleeps) TG_CALLS::usleep(100'000);
  EXPECT_GE(std::chrono::steady_clock::now() - before, 1'000 * 10us)
      << "a loop that polls keeps no processor busy";
  EXPECT_LT(seconds_of_processor() - processor, 1.0);
}

TEST_F(StoppedCaller, ends_each_loop_that_counts_its_sleeps_if_the_caller_has_slept_without_a_stop_before) {
  const long before = used_by_thread().ru_nvcsw;
  for (int loops = 0; loops < 10; ++loops) {
    {
      const Shield shield(1min);
      EXPECT_EQ(TG_CALLS::usleep(1), 0);
    }
    for (int sleeps = 0; sleeps < 600; ++sleeps) TG_CALLS::usleep(100'000);
  }
  EXPECT_LT(used_by_thread().ru_nvcsw - before, 1'000) << "most of them do not sleep";
}

TEST_F(StoppedCaller, ends_a_loop_that_counts_its_sleeps_also_on_a_thread_that_has_polled_for_long) {
  for (int sleeps = 0; sleeps < 1'500; ++sleeps) TG_CALLS::usleep(100'000);
  for (int sleeps = 0; sleeps < 110; ++sleeps) EXPECT_EQ(TG_CALLS::usleep(10'000), 0);
  const long before = used_by_thread().ru_nvcsw;
  for (int sleeps = 0; sleeps < 600; ++sleeps) TG_CALLS::usleep(100'000);
  EXPECT_LT(used_by_thread().ru_nvcsw - before, 300) << "most of them do not sleep";
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

// Clocks of processor time go on only while the program computes, so even a short sleep may never end.
TEST_F(StoppedCaller, does_not_wait_for_processor_time) {
  const timespec hour{3'600, 0};
  const timespec moment{0, 5'000'000};
  timespec left{};
  for (const timespec& time : {hour, moment}) {
    EXPECT_EQ(TG_CALLS::clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &time, &left), ECANCELED);
    EXPECT_EQ(left.tv_sec, time.tv_sec);
    EXPECT_EQ(left.tv_nsec, time.tv_nsec);
  }
  EXPECT_EQ(TG_CALLS::clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &hour, nullptr), ECANCELED);
  const timespec past{0, 1};
  EXPECT_EQ(TG_CALLS::clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &past, nullptr), 0);
  EXPECT_EQ(TG_CALLS::clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &hour, nullptr), EINVAL);
}

// --- Cancellation ---

TEST(InterposedWait, is_cancelled_outside_of_groups) {
  const SleepingChild child;
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
}

}  // namespace
}  // namespace stopped_test
}  // namespace tg::test
