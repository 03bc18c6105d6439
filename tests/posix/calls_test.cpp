// SPDX-License-Identifier: Apache-2.0
// Each call of tg::posix: it is stopped while it blocks, and at once in a stopped task; outside groups it is the plain one.
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "support/eventually.hpp"
#include "support/threads_asleep.hpp"

namespace tg::test {
namespace calls_test {
namespace {

using namespace std::chrono_literals;

// Descriptors and files with which each call blocks.
class Silent {
 public:
  Silent() {
    require(::pipe(empty_pipe.data()) == 0);
    require(::pipe(full_pipe.data()) == 0);
    ::fcntl(full_pipe[1], F_SETFL, O_NONBLOCK);
    while (::write(full_pipe[1], bytes.data(), bytes.size()) > 0) {
    }
    ::fcntl(full_pipe[1], F_SETFL, 0);
    require(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) == 0);
    require(::socketpair(AF_UNIX, SOCK_STREAM, 0, full_sockets.data()) == 0);
    while (::send(full_sockets[1], bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
    }
    char name[] = "/tmp/tg-posix-XXXXXX";
    require(::mkdtemp(name) != nullptr);
    folder = name;
    require(::mkfifo((folder + "/fifo").c_str(), 0600) == 0);
    locked_file = ::open((folder + "/locked").c_str(), O_CREAT | O_RDWR, 0600);
    require(::flock(locked_file, LOCK_EX) == 0);
    struct flock whole = whole_file();
    require(::fcntl(locked_file, F_OFD_SETLK, &whole) == 0);
    other_file = ::open((folder + "/locked").c_str(), O_RDWR);
    listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    address.sun_family = AF_UNIX;
    ::snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder.c_str());
    require(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    require(::listen(listener, 0) == 0);
    // The case `connect` fills the listener's queue with it.
    first_peer = ::socket(AF_UNIX, SOCK_STREAM, 0);
    epoll = ::epoll_create1(0);
    messages = ::msgget(IPC_PRIVATE, 0600);
    semaphores = ::semget(IPC_PRIVATE, 1, 0600);
    ::sem_init(&semaphore, 0, 0);
    child = ::fork();
    if (child == 0) {
      for (;;) ::pause();
    }
  }
  ~Silent() {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (const int fd :
         {empty_pipe[0], empty_pipe[1], full_pipe[0], full_pipe[1], sockets[0], sockets[1], full_sockets[0],
          full_sockets[1], locked_file, other_file, listener, first_peer, epoll})
      ::close(fd);
    ::msgctl(messages, IPC_RMID, nullptr);
    ::semctl(semaphores, 0, IPC_RMID);
    for (const char* const file : {"/fifo", "/locked", "/socket"}) ::unlink((folder + file).c_str());
    ::rmdir(folder.c_str());
  }
  Silent(const Silent&) = delete;
  Silent& operator=(const Silent&) = delete;

  static void require(bool holds) {
    if (!holds) throw std::system_error(errno, std::generic_category(), "what a test needs");
  }
  static struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
  }

  std::array<int, 2> empty_pipe{}, full_pipe{}, sockets{}, full_sockets{};
  std::string folder;
  int locked_file = -1, other_file = -1, listener = -1, first_peer = -1, epoll = -1, messages = -1,
      semaphores = -1;
  sem_t semaphore{};
  sockaddr_un address{};
  pid_t child = 0;
  std::array<char, 1 << 16> bytes{};
};

struct Case {
  const char* name;
  long (*call)(Silent&);
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

constexpr Case kCases[] = {
    {"read", [](Silent& s) -> long { return posix::read(s.empty_pipe[0], s.bytes.data(), 64); }},
    {"readv",
     [](Silent& s) -> long {
       const iovec part{s.bytes.data(), 64};
       return posix::readv(s.empty_pipe[0], &part, 1);
     }},
    {"write", [](Silent& s) -> long { return posix::write(s.full_pipe[1], s.bytes.data(), 4096); }},
    {"writev",
     [](Silent& s) -> long {
       const iovec part{s.bytes.data(), 4096};
       return posix::writev(s.full_pipe[1], &part, 1);
     }},
    {"open", [](Silent& s) -> long { return posix::open((s.folder + "/fifo").c_str(), O_RDONLY); }},
    {"openat",
     [](Silent& s) -> long { return posix::openat(AT_FDCWD, (s.folder + "/fifo").c_str(), O_WRONLY); }},
    {"recv", [](Silent& s) -> long { return posix::recv(s.sockets[0], s.bytes.data(), 64, 0); }},
    {"recvfrom",
     [](Silent& s) -> long {
       return posix::recvfrom(s.sockets[0], s.bytes.data(), 64, 0, nullptr, nullptr);
     }},
    {"recv_with_a_timeout",
     [](Silent& s) -> long {
       const timeval hour{3600, 0};
       ::setsockopt(s.sockets[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);
       return posix::recv(s.sockets[0], s.bytes.data(), 64, 0);
     }},
    {"recvmsg",
     [](Silent& s) -> long {
       iovec part{s.bytes.data(), 64};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       return posix::recvmsg(s.sockets[0], &message, 0);
     }},
    {"send",
     [](Silent& s) -> long { return posix::send(s.full_sockets[1], s.bytes.data(), s.bytes.size(), 0); }},
    {"sendto",
     [](Silent& s) -> long {
       return posix::sendto(s.full_sockets[1], s.bytes.data(), s.bytes.size(), 0, nullptr, 0);
     }},
    {"sendmsg",
     [](Silent& s) -> long {
       iovec part{s.bytes.data(), s.bytes.size()};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       return posix::sendmsg(s.full_sockets[1], &message, 0);
     }},
    {"accept", [](Silent& s) -> long { return posix::accept(s.listener, nullptr, nullptr); }},
    {"accept4", [](Silent& s) -> long { return posix::accept4(s.listener, nullptr, nullptr, SOCK_CLOEXEC); }},
    {"connect",
     [](Silent& s) -> long {
       const auto* const to = reinterpret_cast<const sockaddr*>(&s.address);
       ::connect(s.first_peer, to, sizeof s.address);  // fills the queue of the listener
       const int second = ::socket(AF_UNIX, SOCK_STREAM, 0);
       const long result = posix::connect(second, to, sizeof s.address);
       const int error = errno;
       ::close(second);
       errno = error;
       return result;
     }},
    {"poll",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe[0], POLLIN, 0};
       return posix::poll(&one, 1, -1);
     }},
    {"poll_with_a_timeout",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe[0], POLLIN, 0};
       return posix::poll(&one, 1, 3'600'000);
     }},
    {"ppoll",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe[0], POLLIN, 0};
       sigset_t all;
       sigfillset(&all);
       return posix::ppoll(&one, 1, nullptr, &all);
     }},
    {"select",
     [](Silent& s) -> long {
       fd_set set;
       FD_ZERO(&set);
       FD_SET(s.empty_pipe[0], &set);
       return posix::select(s.empty_pipe[0] + 1, &set, nullptr, nullptr, nullptr);
     }},
    {"pselect",
     [](Silent& s) -> long {
       fd_set set;
       FD_ZERO(&set);
       FD_SET(s.empty_pipe[0], &set);
       sigset_t all;
       sigfillset(&all);
       return posix::pselect(s.empty_pipe[0] + 1, &set, nullptr, nullptr, nullptr, &all);
     }},
    {"epoll_wait",
     [](Silent& s) -> long {
       epoll_event event{};
       return posix::epoll_wait(s.epoll, &event, 1, -1);
     }},
    {"epoll_pwait",
     [](Silent& s) -> long {
       epoll_event event{};
       sigset_t all;
       sigfillset(&all);
       return posix::epoll_pwait(s.epoll, &event, 1, -1, &all);
     }},
    {"wait4", [](Silent& s) -> long { return posix::wait4(s.child, nullptr, 0, nullptr); }},
    {"waitpid", [](Silent& s) -> long { return posix::waitpid(s.child, nullptr, 0); }},
    {"waitid",
     [](Silent& s) -> long {
       siginfo_t info{};
       return posix::waitid(P_PID, static_cast<id_t>(s.child), &info, WEXITED);
     }},
    {"nanosleep",
     [](Silent&) -> long {
       const timespec hour{3600, 0};
       timespec left{};
       const long result = posix::nanosleep(&hour, &left);
       const int error = errno;
       EXPECT_TRUE(left.tv_sec > 3000 || left.tv_sec == 0) << left.tv_sec;
       errno = error;
       return result;
     }},
    {"clock_nanosleep",
     [](Silent&) -> long {
       const timespec hour{3600, 0};
       errno = posix::clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, nullptr);
       return errno == 0 ? 0 : -1;
     }},
    {"flock", [](Silent& s) -> long { return posix::flock(s.other_file, LOCK_EX); }},
    {"fcntl",
     [](Silent& s) -> long {
       struct flock whole = Silent::whole_file();
       return posix::fcntl(s.other_file, F_OFD_SETLKW, &whole);
     }},
    {"sigtimedwait",
     [](Silent&) -> long {
       sigset_t set;
       sigemptyset(&set);
       sigaddset(&set, SIGUSR2);
       const timespec hour{3600, 0};
       return posix::sigtimedwait(&set, nullptr, &hour);
     }},
    {"sigwaitinfo",
     [](Silent&) -> long {
       sigset_t all;
       sigfillset(&all);
       return posix::sigwaitinfo(&all, nullptr);
     }},
    {"pause", [](Silent&) -> long { return posix::pause(); }},
    {"sigsuspend",
     [](Silent&) -> long {
       sigset_t all;
       sigfillset(&all);
       return posix::sigsuspend(&all);
     }},
    {"mq_timedreceive",
     [](Silent& s) -> long {
       const std::string name = "/tg-" + std::to_string(::getpid());
       mq_attr attributes{};
       attributes.mq_maxmsg = 1;
       attributes.mq_msgsize = 16;
       const mqd_t queue = ::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, &attributes);
       ::mq_unlink(name.c_str());
       const long result = posix::mq_timedreceive(queue, s.bytes.data(), 64, nullptr, nullptr);
       const int error = errno;
       ::mq_close(queue);
       errno = error;
       return result;
     }},
    {"mq_timedsend",
     [](Silent& s) -> long {
       const std::string name = "/tg-" + std::to_string(::getpid());
       mq_attr attributes{};
       attributes.mq_maxmsg = 1;
       attributes.mq_msgsize = 16;
       const mqd_t queue = ::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, &attributes);
       ::mq_unlink(name.c_str());
       ::mq_send(queue, s.bytes.data(), 16, 0);
       const long result = posix::mq_timedsend(queue, s.bytes.data(), 16, 0, nullptr);
       const int error = errno;
       ::mq_close(queue);
       errno = error;
       return result;
     }},
    {"msgrcv", [](Silent& s) -> long { return posix::msgrcv(s.messages, s.bytes.data(), 64, 0, 0); }},
    {"msgsnd",
     [](Silent& s) -> long {
       struct {
         long type = 1;
         char text[8192] = {};
       } message;
       while (::msgsnd(s.messages, &message, sizeof message.text, IPC_NOWAIT) == 0) {
       }
       return posix::msgsnd(s.messages, &message, sizeof message.text, 0);
     }},
    {"semop",
     [](Silent& s) -> long {
       sembuf take{0, -1, 0};
       return posix::semop(s.semaphores, &take, 1);
     }},
    {"semtimedop",
     [](Silent& s) -> long {
       sembuf take{0, -1, 0};
       const timespec hour{3600, 0};
       return posix::semtimedop(s.semaphores, &take, 1, &hour);
     }},
    {"sem_wait", [](Silent& s) -> long { return posix::sem_wait(&s.semaphore); }},
    {"splice",
     [](Silent& s) -> long { return posix::splice(s.empty_pipe[0], nullptr, s.sockets[1], nullptr, 64, 0); }},
};

class PosixCall : public testing::TestWithParam<Case> {
 protected:
  Silent silent_;
};

TEST_P(PosixCall, is_stopped_while_it_blocks) {
  ThreadGroup group("calls");
  std::atomic<int> thread{0};
  long result = 0;
  int error = 0;
  group.post([&] {
    thread = this_thread_number();
    result = GetParam().call(silent_);
    error = errno;
  });
  eventually([&] { return thread != 0 && is_asleep(thread); });
  group.set_event("stop");
  group.join();
  EXPECT_EQ(result, -1);
  EXPECT_EQ(error, ECANCELED);
}

TEST_P(PosixCall, returns_at_once_when_the_caller_is_stopped) {
  ThreadGroup group("calls");
  long result = 0;
  int error = 0;
  group.post([&] {
    thread_utils::set_event("stop");
    result = GetParam().call(silent_);
    error = errno;
  });
  group.join();
  EXPECT_EQ(result, -1);
  EXPECT_EQ(error, ECANCELED);
}

TEST_P(PosixCall, is_stopped_by_the_deadline_of_a_scope_on_a_thread_of_the_program) {
  const StopScope scope(10ms);
  const long result = GetParam().call(silent_);
  EXPECT_EQ(result, -1);
  EXPECT_EQ(errno, ECANCELED);
}

INSTANTIATE_TEST_SUITE_P(All, PosixCall, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

// --- What a stop leaves ---

TEST(Posix, what_was_done_before_the_stop_counts) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  std::vector<char> megabyte(1 << 20);
  ThreadGroup group("calls");
  std::atomic<int> thread{0};
  ssize_t written = 0;
  group.post([&] {
    thread = this_thread_number();
    written = posix::write(pipe[1], megabyte.data(), megabyte.size());
    EXPECT_EQ(posix::write(pipe[1], megabyte.data(), 1), -1);
    EXPECT_EQ(errno, ECANCELED);
  });
  eventually([&] { return thread != 0 && is_asleep(thread); });
  group.set_event("stop");
  group.join();
  EXPECT_GT(written, 0);
  ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  ssize_t there = 0;
  for (ssize_t bytes = 0; (bytes = ::read(pipe[0], megabyte.data(), megabyte.size())) > 0;) there += bytes;
  EXPECT_EQ(there, written);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(Posix, outside_of_groups_and_scopes_it_is_the_plain_call) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  EXPECT_EQ(posix::write(pipe[1], "abc", 3), 3);
  char bytes[8];
  EXPECT_EQ(posix::read(pipe[0], bytes, sizeof bytes), 3);
  EXPECT_EQ(posix::read(-1, bytes, 1), -1);
  EXPECT_EQ(errno, EBADF);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(Posix, in_a_task_that_is_not_stopped_it_does_what_the_plain_call_does) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ThreadGroup group("calls");
  group.post([&] {
    EXPECT_EQ(posix::write(pipe[1], "abc", 3), 3);
    char bytes[8];
    EXPECT_EQ(posix::read(pipe[0], bytes, sizeof bytes), 3);
    EXPECT_EQ(posix::read(-1, bytes, 1), -1);
    EXPECT_EQ(errno, EBADF);
    timeval short_time{0, 10'000};
    EXPECT_EQ(posix::select(0, nullptr, nullptr, nullptr, &short_time), 0);
    EXPECT_EQ(short_time.tv_usec, 0);
    EXPECT_EQ(posix::poll(nullptr, 0, 1), 0);
    EXPECT_EQ(posix::getrandom(bytes, sizeof bytes, 0), 8);
  });
  EXPECT_TRUE(group.join().failures.empty());
  ::close(pipe[0]);
  ::close(pipe[1]);
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

TEST(Posix, a_shield_lets_a_stopped_task_go_on) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ThreadGroup group("calls");
  std::atomic<int> thread{0};
  group.post([&] {
    char byte = 0;
    thread = this_thread_number();
    EXPECT_EQ(posix::read(pipe[0], &byte, 1), -1);
    const Shield shield(10s);
    EXPECT_EQ(posix::write(pipe[1], "x", 1), 1);
    EXPECT_EQ(posix::read(pipe[0], &byte, 1), 1);
  });
  eventually([&] { return thread != 0 && is_asleep(thread); });
  group.set_event("stop");
  group.join();
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(Posix, calls_under_changing_scopes_are_stopped_by_the_innermost) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ThreadGroup group("calls");
  group.post([&] {
    for (int i = 0; i < 100; ++i) {
      char byte = 0;
      {
        const StopScope scope(1ms);
        EXPECT_EQ(posix::read(pipe[0], &byte, 1), -1);
        EXPECT_EQ(errno, ECANCELED);
      }
      EXPECT_EQ(posix::write(pipe[1], "x", 1), 1);
      EXPECT_EQ(posix::read(pipe[0], &byte, 1), 1);
    }
  });
  EXPECT_TRUE(group.join().failures.empty());
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(StopFd, becomes_readable_when_the_group_is_stopped_and_is_one_for_all) {
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

}  // namespace
}  // namespace calls_test
}  // namespace tg::test
