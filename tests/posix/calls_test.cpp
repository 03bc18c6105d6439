// SPDX-License-Identifier: Apache-2.0
// Each call of tg::posix is stopped while it blocks, and at once in a stopped task.
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
#include <iterator>
#include <string>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "posix/pipe.hpp"
#include "runtime/stoppable_call.hpp"
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
    full_pipe.fill();
    full_sockets.fill();
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
    for (const int fd : {locked_file, other_file, listener, first_peer, epoll}) ::close(fd);
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

  const Pipe empty_pipe, full_pipe;
  const Pipe sockets = Pipe::of_sockets(), full_sockets = Pipe::of_sockets();
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
  bool needs_signal = false;  // without the instructions for the stop signal it is the plain call
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

constexpr Case kCases[] = {
    {"read", [](Silent& s) -> long { return posix::read(s.empty_pipe.reading(), s.bytes.data(), 64); }},
    {"readv",
     [](Silent& s) -> long {
       const iovec part{s.bytes.data(), 64};
       return posix::readv(s.empty_pipe.reading(), &part, 1);
     }},
    {"write", [](Silent& s) -> long { return posix::write(s.full_pipe.writing(), s.bytes.data(), 4096); }},
    {"writev",
     [](Silent& s) -> long {
       const iovec part{s.bytes.data(), 4096};
       return posix::writev(s.full_pipe.writing(), &part, 1);
     }},
    {"open", [](Silent& s) -> long { return posix::open((s.folder + "/fifo").c_str(), O_RDONLY); }, true},
    {"openat",
     [](Silent& s) -> long { return posix::openat(AT_FDCWD, (s.folder + "/fifo").c_str(), O_WRONLY); }, true},
    {"recv", [](Silent& s) -> long { return posix::recv(s.sockets.reading(), s.bytes.data(), 64, 0); }},
    {"recvfrom",
     [](Silent& s) -> long {
       return posix::recvfrom(s.sockets.reading(), s.bytes.data(), 64, 0, nullptr, nullptr);
     }},
    {"recv_with_a_timeout",
     [](Silent& s) -> long {
       const timeval hour{3600, 0};
       ::setsockopt(s.sockets.reading(), SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);
       return posix::recv(s.sockets.reading(), s.bytes.data(), 64, 0);
     }},
    {"recvmsg",
     [](Silent& s) -> long {
       iovec part{s.bytes.data(), 64};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       return posix::recvmsg(s.sockets.reading(), &message, 0);
     }},
    {"send",
     [](Silent& s) -> long {
       return posix::send(s.full_sockets.writing(), s.bytes.data(), s.bytes.size(), 0);
     }},
    {"sendto",
     [](Silent& s) -> long {
       return posix::sendto(s.full_sockets.writing(), s.bytes.data(), s.bytes.size(), 0, nullptr, 0);
     }},
    {"sendmsg",
     [](Silent& s) -> long {
       iovec part{s.bytes.data(), s.bytes.size()};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       return posix::sendmsg(s.full_sockets.writing(), &message, 0);
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
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       return posix::poll(&one, 1, -1);
     }},
    {"poll_with_a_timeout",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       return posix::poll(&one, 1, 3'600'000);
     }},
    {"ppoll",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       sigset_t all;
       sigfillset(&all);
       return posix::ppoll(&one, 1, nullptr, &all);
     }},
    {"select",
     [](Silent& s) -> long {
       fd_set set;
       FD_ZERO(&set);
       FD_SET(s.empty_pipe.reading(), &set);
       return posix::select(s.empty_pipe.reading() + 1, &set, nullptr, nullptr, nullptr);
     }},
    {"pselect",
     [](Silent& s) -> long {
       fd_set set;
       FD_ZERO(&set);
       FD_SET(s.empty_pipe.reading(), &set);
       sigset_t all;
       sigfillset(&all);
       return posix::pselect(s.empty_pipe.reading() + 1, &set, nullptr, nullptr, nullptr, &all);
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
    {"wait4", [](Silent& s) -> long { return posix::wait4(s.child, nullptr, 0, nullptr); }, true},
    {"waitpid", [](Silent& s) -> long { return posix::waitpid(s.child, nullptr, 0); }, true},
    {"waitid",
     [](Silent& s) -> long {
       siginfo_t info{};
       return posix::waitid(P_PID, static_cast<id_t>(s.child), &info, WEXITED);
     },
     true},
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
    {"flock", [](Silent& s) -> long { return posix::flock(s.other_file, LOCK_EX); }, true},
    {"fcntl",
     [](Silent& s) -> long {
       struct flock whole = Silent::whole_file();
       return posix::fcntl(s.other_file, F_OFD_SETLKW, &whole);
     },
     true},
    {"sigtimedwait",
     [](Silent&) -> long {
       sigset_t set;
       sigemptyset(&set);
       sigaddset(&set, SIGUSR2);
       const timespec hour{3600, 0};
       return posix::sigtimedwait(&set, nullptr, &hour);
     },
     true},
    {"sigwaitinfo",
     [](Silent&) -> long {
       sigset_t all;
       sigfillset(&all);
       return posix::sigwaitinfo(&all, nullptr);
     },
     true},
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
     },
     true},
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
     },
     true},
    {"msgrcv", [](Silent& s) -> long { return posix::msgrcv(s.messages, s.bytes.data(), 64, 0, 0); }, true},
    {"msgsnd",
     [](Silent& s) -> long {
       struct {
         long type = 1;
         char text[8192] = {};
       } message;
       while (::msgsnd(s.messages, &message, sizeof message.text, IPC_NOWAIT) == 0) {
       }
       return posix::msgsnd(s.messages, &message, sizeof message.text, 0);
     },
     true},
    {"semop",
     [](Silent& s) -> long {
       sembuf take{0, -1, 0};
       return posix::semop(s.semaphores, &take, 1);
     },
     true},
    {"semtimedop",
     [](Silent& s) -> long {
       sembuf take{0, -1, 0};
       const timespec hour{3600, 0};
       return posix::semtimedop(s.semaphores, &take, 1, &hour);
     },
     true},
    {"sem_wait", [](Silent& s) -> long { return posix::sem_wait(&s.semaphore); }},
    {"splice",
     [](Silent& s) -> long {
       return posix::splice(s.empty_pipe.reading(), nullptr, s.sockets.writing(), nullptr, 64, 0);
     },
     true},
};

class PosixCall : public testing::TestWithParam<Case> {
 protected:
  Silent silent_;
};
class BlockingPosixCall : public PosixCall {};

TEST_P(BlockingPosixCall, is_stopped_while_it_blocks) {
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

TEST_P(BlockingPosixCall, is_stopped_by_the_deadline_of_a_scope_on_a_thread_of_the_program) {
  const StopScope scope(10ms);
  const long result = GetParam().call(silent_);
  EXPECT_EQ(result, -1);
  EXPECT_EQ(errno, ECANCELED);
}

std::vector<Case> calls_that_a_stop_ends() {
  std::vector<Case> calls(std::begin(kCases), std::end(kCases));
  if (!runtime::kHasStoppableCalls) std::erase_if(calls, [](const Case& one) { return one.needs_signal; });
  return calls;
}

const auto name_of = [](const auto& test) { return std::string(test.param.name); };
INSTANTIATE_TEST_SUITE_P(All, PosixCall, testing::ValuesIn(kCases), name_of);
INSTANTIATE_TEST_SUITE_P(All, BlockingPosixCall, testing::ValuesIn(calls_that_a_stop_ends()), name_of);

}  // namespace
}  // namespace calls_test
}  // namespace tg::test
