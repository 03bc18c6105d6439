// SPDX-License-Identifier: Apache-2.0
// What calls do besides blocking: results that count, plain calls, shields and scopes; and the descriptor of a stop.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <limits>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "support/blocked_task.hpp"
#include "support/children.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/pipe.hpp"
#include "support/signal_handler.hpp"

namespace tg::test {
namespace results_test {
namespace {

using namespace std::chrono_literals;

TEST(Posix, what_was_done_before_the_stop_counts) {
  const Pipe pipe;
  std::vector<char> megabyte(1 << 20);
  ssize_t written = 0;
  stop_while_asleep([&] {
    written = posix::write(pipe.writing(), megabyte.data(), megabyte.size());
    EXPECT_EQ(posix::write(pipe.writing(), megabyte.data(), 1), -1);
    EXPECT_EQ(errno, ECANCELED);
  });
  EXPECT_GT(written, 0);
  EXPECT_EQ(pipe.drain(), written);
}

TEST(Posix, a_write_to_a_socket_that_the_peer_ends_returns_what_was_written_and_raises_no_signal) {
  static std::atomic<int> signals{0};
  const SignalHandler handler(SIGPIPE, [](int) { ++signals; });
  const Pipe sockets = Pipe::of_sockets();
  std::vector<char> megabyte(1 << 20);
  ssize_t written = 0;
  ThreadGroup group("writes");
  const BlockedTask task(
      group, [&] { written = posix::write(sockets.writing(), megabyte.data(), megabyte.size()); });
  ::shutdown(sockets.reading(), SHUT_RDWR);
  EXPECT_TRUE(group.join().failures.empty());
  EXPECT_GT(written, 0);
  EXPECT_LT(written, 1 << 20);
  EXPECT_EQ(signals, 0);
}

TEST(Posix, outside_of_groups_and_scopes_it_is_the_plain_call) {
  const Pipe pipe;
  EXPECT_EQ(posix::write(pipe.writing(), "abc", 3), 3);
  char bytes[8];
  EXPECT_EQ(posix::read(pipe.reading(), bytes, sizeof bytes), 3);
  EXPECT_EQ(posix::read(-1, bytes, 1), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(Posix, in_a_task_that_is_not_stopped_it_does_what_the_plain_call_does) {
  const Pipe pipe;
  ThreadGroup group("calls");
  group.post([&] {
    EXPECT_EQ(posix::write(pipe.writing(), "abc", 3), 3);
    char bytes[8];
    EXPECT_EQ(posix::read(pipe.reading(), bytes, sizeof bytes), 3);
    EXPECT_EQ(posix::read(-1, bytes, 1), -1);
    EXPECT_EQ(errno, EBADF);
    timeval short_time{0, 10'000};
    EXPECT_EQ(posix::select(0, nullptr, nullptr, nullptr, &short_time), 0);
    EXPECT_EQ(short_time.tv_usec, 0);
    EXPECT_EQ(posix::poll(nullptr, 0, 1), 0);
    EXPECT_EQ(posix::getrandom(bytes, sizeof bytes, 0), 8);
  });
  EXPECT_TRUE(group.join().failures.empty());
}

TEST(Posix, a_stopped_task_unlocks_files_and_takes_no_semaphore) {
  const int file = ::memfd_create("locked", MFD_CLOEXEC);
  ASSERT_GE(file, 0);
  sem_t semaphore;
  ::sem_init(&semaphore, 0, 1);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  {
    StopScope scope;
    EXPECT_EQ(posix::flock(file, LOCK_EX), 0);
    EXPECT_EQ(posix::fcntl(file, F_OFD_SETLKW, &whole), 0);
    scope.set_event("stop");
    EXPECT_EQ(posix::flock(file, LOCK_EX), -1);
    EXPECT_EQ(errno, ECANCELED);
    EXPECT_EQ(posix::flock(file, LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(posix::flock(file, LOCK_UN), 0);
    whole.l_type = F_UNLCK;
    EXPECT_EQ(posix::fcntl(file, F_OFD_SETLKW, &whole), 0);
    EXPECT_EQ(posix::sem_wait(&semaphore), -1);
    EXPECT_EQ(errno, ECANCELED);
  }
  int value = 0;
  ::sem_getvalue(&semaphore, &value);
  EXPECT_EQ(value, 1);
  ::sem_destroy(&semaphore);
  ::close(file);
}

TEST(Posix, a_stopped_task_asks_for_its_children_without_waiting) {
  const pid_t child = ended_child(3);
  StopScope scope;
  scope.set_event("stop");
  siginfo_t ended{};
  EXPECT_EQ(posix::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT), 0);
  EXPECT_EQ(ended.si_pid, child);
  EXPECT_EQ(posix::waitpid(child, nullptr, 0), -1);
  EXPECT_EQ(errno, ECANCELED);
  int status = 0;
  EXPECT_EQ(posix::waitpid(child, &status, WNOHANG), child);
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

// --- Arguments that the kernel rejects ---

TEST(Posix, null_pointers_are_rejected_by_the_kernel) {
  const Pipe sockets = Pipe::of_sockets();
  const int set = ::semget(IPC_PRIVATE, 1, 0600);
  const StopScope scope;
  const auto fails = [](long result, int error) { return result == -1 && errno == error; };
  timespec left{-7, -7};
  EXPECT_TRUE(fails(posix::nanosleep(nullptr, &left), EFAULT));
  EXPECT_TRUE(fails(posix::nanosleep(nullptr, nullptr), EFAULT));
  EXPECT_EQ(posix::clock_nanosleep(CLOCK_MONOTONIC, 0, nullptr, &left), EFAULT);
  EXPECT_EQ(left.tv_sec, -7);
  EXPECT_TRUE(fails(posix::poll(nullptr, 1, 0), EFAULT));
  EXPECT_TRUE(fails(posix::readv(sockets.reading(), nullptr, 1), EFAULT));
  EXPECT_TRUE(fails(posix::writev(sockets.writing(), nullptr, 1), EFAULT));
  EXPECT_TRUE(fails(posix::recvmsg(sockets.reading(), nullptr, 0), EFAULT));
  EXPECT_TRUE(fails(posix::sendmsg(sockets.writing(), nullptr, 0), EFAULT));
  EXPECT_TRUE(fails(posix::sigtimedwait(nullptr, nullptr, nullptr), EFAULT));
  EXPECT_TRUE(fails(posix::semop(set, nullptr, 1), EFAULT));
  EXPECT_TRUE(fails(posix::semop(set, nullptr, 0), EINVAL));
  EXPECT_TRUE(fails(posix::fcntl(sockets.reading(), F_SETLKW, nullptr), EFAULT));
  ::semctl(set, 0, IPC_RMID);
}

TEST(Posix, counts_and_times_beyond_all_limits_are_those_of_the_kernel) {
  const Pipe pipe;
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  const int set = ::semget(IPC_PRIVATE, 1, 0600);
  constexpr long kMost = std::numeric_limits<long>::max();
  sembuf add{0, 1, 0};
  EXPECT_EQ(posix::semop(set, &add, std::size_t{1} << 20), -1);
  EXPECT_EQ(errno, E2BIG);
  const StopScope scope;
  EXPECT_EQ(posix::semop(set, &add, std::size_t{1} << 20), -1);
  EXPECT_EQ(errno, E2BIG);
  ::semctl(set, 0, IPC_RMID);
  pollfd one{pipe.reading(), POLLIN, 0};
  const timespec latest{kMost, 999'999'999};
  EXPECT_EQ(posix::ppoll(&one, 1, &latest, nullptr), 1);
  fd_set readable;
  FD_ZERO(&readable);
  FD_SET(pipe.reading(), &readable);
  timeval long_time{kMost, 1'000'000};
  EXPECT_EQ(posix::select(pipe.reading() + 1, &readable, nullptr, nullptr, &long_time), 1);
  EXPECT_EQ(posix::clock_nanosleep(12'345, 0, &latest, nullptr), EINVAL);
  const StopScope soon(10ms);
  EXPECT_EQ(posix::nanosleep(&latest, nullptr), -1);
  EXPECT_EQ(errno, ECANCELED);
}

TEST(Posix, a_shield_lets_a_stopped_task_go_on) {
  const Pipe pipe;
  stop_while_asleep([&] {
    char byte = 0;
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
    const Shield shield(10s);
    EXPECT_EQ(posix::write(pipe.writing(), "x", 1), 1);
    EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1);
  });
}

TEST(Posix, calls_under_changing_scopes_are_stopped_by_the_innermost) {
  const Pipe pipe;
  ThreadGroup group("calls");
  group.post([&] {
    for (int i = 0; i < 100; ++i) {
      char byte = 0;
      {
        const StopScope scope(1ms);
        EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
        EXPECT_EQ(errno, ECANCELED);
      }
      EXPECT_EQ(posix::write(pipe.writing(), "x", 1), 1);
      EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1);
    }
  });
  EXPECT_TRUE(group.join().failures.empty());
}

TEST(StopFd, becomes_readable_when_the_group_is_stopped_and_is_the_same_each_time) {
  ThreadGroup group("calls");
  std::atomic<int> fd{-1};
  int again = -1;
  group.post([&] {
    again = stop_fd();
    fd = stop_fd();
    pollfd one{fd, POLLIN, 0};
    EXPECT_EQ(::poll(&one, 1, -1), 1);
  });
  eventually([&] { return fd >= 0; });
  pollfd one{fd, POLLIN, 0};
  EXPECT_EQ(::poll(&one, 1, 0), 0);
  group.set_event("stop");
  group.join();
  EXPECT_EQ(again, fd);
}

TEST(StopFd, of_a_stopped_task_is_readable_and_outside_of_groups_it_never_is) {
  ThreadGroup group("calls");
  group.post([&] {
    thread_utils::set_event("stop");
    pollfd one{stop_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&one, 1, 0), 1);
  });
  group.join();
  pollfd one{stop_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&one, 1, 0), 0);
}

// What the program prints to a standard descriptor that it has closed would stop a task, or be lost with a wake-up.
TEST(StopFd, and_what_wakes_a_select_get_no_standard_descriptor_that_the_program_has_closed) {
  EXPECT_EQ(in_child([] {
              const Pipe pipe;
              for (int fd = 0; fd < 3; ++fd) ::close(fd);
              REQUIRE_IN_CHILD(stop_fd() >= 3);
              const StopScope scope;
              REQUIRE_IN_CHILD(stop_fd() >= 3);
              select(readable(pipe.reading(), [] {}), otherwise([] {}));
              for (int fd = 0; fd < 3; ++fd) REQUIRE_IN_CHILD(::fcntl(fd, F_GETFD) < 0 && errno == EBADF);
            }),
            0);
}

}  // namespace
}  // namespace results_test
}  // namespace tg::test
