// SPDX-License-Identifier: Apache-2.0
// Calls whose stop could lose something (a post, a lock, the time left), and threads with the mask or registration of an
// earlier task.
#include <gtest/gtest.h>

#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <latch>
#include <thread>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "posix/signal_test.hpp"
#include "runtime/stoppable_call.hpp"
#include "support/eventually.hpp"
#include "support/pipe.hpp"
#include "support/threads_asleep.hpp"
#include "tree/call_registration.hpp"

namespace tg::test {
namespace edges_test {
namespace {

using namespace std::chrono_literals;

// `sem_post` wakes one waiter. If that waiter is stopped at the same moment, it must take the permit or leave it to the other.
TEST(Edges, a_stopped_sem_wait_loses_no_post) {
  for (int round = 0; round < 100 && !testing::Test::HasFailure(); ++round) {
    sem_t semaphore;
    ::sem_init(&semaphore, 0, 0);
    ThreadGroup group("waiters");
    std::atomic<int> first{0};
    std::atomic<int> second{0};
    std::atomic<bool> other_has_one{false};
    const auto task = group.add_task([&] {
      first = this_thread_number();
      return posix::sem_wait(&semaphore) == 0;
    });
    eventually([&] { return first != 0 && is_asleep(first); });
    std::thread other([&] {
      second = this_thread_number();
      while (::sem_wait(&semaphore) != 0) {
      }
      other_has_one = true;
    });
    eventually([&] { return second != 0 && is_asleep(second); });
    ::sem_post(&semaphore);
    group.set_event("stop");
    if (task.get()) ::sem_post(&semaphore);  // for the other one
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (!other_has_one && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_TRUE(other_has_one) << "in round " << round;
    if (!other_has_one) ::sem_post(&semaphore);
    other.join();
    ::sem_destroy(&semaphore);
  }
}

// The library's threads inherit a mask with all signals blocked, and a task restores that mask.
[[noreturn]] void restore_a_mask_and_stop_the_next_task() {
  block_all_signals();
  const Pipe pipe;
  ThreadGroup group("masks", {.max_concurrent_threads = 1});
  group.post([&] {
    sigset_t one;
    sigset_t before;
    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &one, &before);
    posix::write(pipe.writing(), "x", 1);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  });
  std::atomic<int> thread{0};
  group.post([&] {
    char byte = 0;
    posix::read(pipe.reading(), &byte, 1);
    thread = this_thread_number();
    posix::read(pipe.reading(), &byte, 1);
  });
  eventually([&] { return thread != 0 && is_asleep(thread); });
  group.set_event("stop");
  ::_exit(group.join(20s) ? 0 : 1);
}

TEST(Edges, a_stop_reaches_a_thread_on_which_an_earlier_task_has_restored_its_mask) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(restore_a_mask_and_stop_the_next_task(), testing::ExitedWithCode(0), "");
}

TEST(Edges, a_semop_that_only_adds_works_in_a_stopped_task) {
  const int set = ::semget(IPC_PRIVATE, 1, 0600);
  ASSERT_GE(set, 0);
  StopScope scope;
  scope.set_event("stop");
  sembuf release{0, 1, 0};
  EXPECT_EQ(posix::semop(set, &release, 1), 0);
  sembuf take{0, -1, 0};
  EXPECT_EQ(posix::semop(set, &take, 1), -1);
  EXPECT_EQ(errno, ECANCELED);
  EXPECT_EQ(::semctl(set, 0, GETVAL), 1);
  ::semctl(set, 0, IPC_RMID);
}

TEST(Edges, calls_that_rarely_block_work_until_a_stop_and_are_refused_afterwards) {
  char name[] = "/tmp/tg_edges_XXXXXX";
  const int from = ::mkstemp(name);
  ::unlink(name);
  const int to = ::dup(from);
  std::array<char, 4> bytes{'a', 'b', 'c', 'd'};
  off_t begin = 0;
  off_t middle = 8;
  const Pipe pipe;
  StopScope scope;
  EXPECT_EQ(posix::pwrite(from, bytes.data(), 4, 0), 4);
  EXPECT_EQ(posix::pread(from, bytes.data(), 4, 0), 4);
  EXPECT_EQ(posix::sendfile(pipe.writing(), from, &begin, 4), 4);
  begin = 0;
  EXPECT_EQ(posix::copy_file_range(from, &begin, to, &middle, 4, 0), 4);
  EXPECT_EQ(posix::getrandom(bytes.data(), 4, 0), 4);
  scope.set_event("stop");
  const auto is_refused = [](ssize_t result) { return result == -1 && errno == ECANCELED; };
  EXPECT_TRUE(is_refused(posix::pwrite(from, bytes.data(), 4, 0)));
  EXPECT_TRUE(is_refused(posix::pread(from, bytes.data(), 4, 0)));
  EXPECT_TRUE(is_refused(posix::sendfile(pipe.writing(), from, &begin, 4)));
  EXPECT_TRUE(is_refused(posix::copy_file_range(from, &begin, to, &middle, 4, 0)));
  EXPECT_TRUE(is_refused(posix::getrandom(bytes.data(), 4, 0)));
  for (const int fd : {from, to}) ::close(fd);
}

TEST(Edges, a_sleep_that_is_stopped_before_it_begins_has_all_its_time_left) {
  StopScope scope;
  timespec left{-7, -7};
  const timespec moment{0, 1'000};
  EXPECT_EQ(posix::nanosleep(&moment, &left), 0);
  EXPECT_EQ(left.tv_sec, -7) << "a completed sleep leaves the caller's value alone";
  scope.set_event("stop");
  const timespec hour{3'600, 1};
  EXPECT_EQ(posix::nanosleep(&hour, &left), -1);
  EXPECT_EQ(errno, ECANCELED);
  EXPECT_EQ(left.tv_sec, 3'600);
  EXPECT_EQ(left.tv_nsec, 1);
  left = {-7, -7};
  EXPECT_EQ(posix::clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, &left), ECANCELED);
  EXPECT_EQ(left.tv_sec, 3'600);
}

// A thread that ends inside a scope must end its registration, also if its flow is reused.
TEST(Edges, a_thread_that_ends_in_a_scope_ends_its_registration) {
  if (!runtime::kHasStoppableCalls) GTEST_SKIP() << "calls poll, and nothing is registered";
  static constinit std::array<StopScope*, 3> left_open{};
  for (StopScope*& scope : left_open) {
    std::thread([&] {
      scope = new StopScope;  // NOLINT(cppcoreguidelines-owning-memory)
      char byte = 0;
      posix::read(-1, &byte, 1);
      EXPECT_TRUE(detail::CallRegistration::any());
    }).join();
    EXPECT_FALSE(detail::CallRegistration::any());
  }
}

// For ThreadSanitizer: what is written before a `write` may be read after the `read` that gets the byte.
TEST(Edges, a_read_sees_what_was_written_before_the_write) {
  const Pipe pipe;
  ThreadGroup group("data");
  int data = 0;
  group.post([&] {
    data = 1;
    posix::write(pipe.writing(), "x", 1);
  });
  group.post([&] {
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1);
    EXPECT_EQ(data, 1);
  });
  EXPECT_TRUE(group.join().failures.empty());
}

}  // namespace
}  // namespace edges_test
}  // namespace tg::test
