// SPDX-License-Identifier: Apache-2.0
// A table of blocking calls. The includer defines TG_CALLS: `posix` for those of tg::posix, nothing for the C library's.
#pragma once

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>

#include <threadgroup/posix.hpp>

#include "support/children.hpp"
#include "support/pipe.hpp"
#include "support/temporary_folder.hpp"

namespace tg::test {

// Descriptors and files with which each call blocks.
class Silent {
 public:
  Silent() {
    full_pipe.fill();
    full_sockets.fill();
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
  }
  ~Silent() {
    for (const int fd : {locked_file, other_file, listener, first_peer, epoll}) ::close(fd);
    ::msgctl(messages, IPC_RMID, nullptr);
    ::semctl(semaphores, 0, IPC_RMID);
  }
  Silent(const Silent&) = delete;
  Silent& operator=(const Silent&) = delete;

  static void require(bool holds) {
    if (!holds) throw std::system_error(errno, std::generic_category(), "what a test needs");
  }
  static constexpr timespec kFarAway{4'000'000'000, 0};
  static struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
  }
  // For one message of up to 16 bytes.
  static mqd_t message_queue() {
    const std::string name = "/tg-" + std::to_string(::getpid());
    mq_attr attributes{};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = 16;
    const mqd_t queue = ::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, &attributes);
    ::mq_unlink(name.c_str());
    return queue;
  }

  const Pipe empty_pipe, full_pipe;
  const Pipe sockets = Pipe::of_sockets(), full_sockets = Pipe::of_sockets();
  const TemporaryFolder temporary;
  const std::string folder = temporary.path();
  int locked_file = -1, other_file = -1, listener = -1, first_peer = -1, epoll = -1, messages = -1,
      semaphores = -1;
  sem_t semaphore{};
  sockaddr_un address{};
  const SleepingChild child;
  std::array<char, 1 << 16> bytes{};
};

/// Leaves `errno` as it was: for what follows a call whose error is still to be examined.
template <class F>
void keep_errno(F follow) {
  const int error = errno;
  follow();
  errno = error;
}

struct BlockingCall {
  const char* name;
  long (*call)(Silent&);
  bool needs_signal = false;  // without the instructions for the stop signal it is the plain call
};
inline std::ostream& operator<<(std::ostream& out, const BlockingCall& one) { return out << one.name; }

inline constexpr BlockingCall kBlockingCalls[] = {
    {"read", [](Silent& s) -> long { return TG_CALLS::read(s.empty_pipe.reading(), s.bytes.data(), 64); }},
    {"readv",
     [](Silent& s) -> long {
       const iovec part{s.bytes.data(), 64};
       return TG_CALLS::readv(s.empty_pipe.reading(), &part, 1);
     }},
    {"write", [](Silent& s) -> long { return TG_CALLS::write(s.full_pipe.writing(), s.bytes.data(), 4096); }},
    {"writev",
     [](Silent& s) -> long {
       const iovec part{s.bytes.data(), 4096};
       return TG_CALLS::writev(s.full_pipe.writing(), &part, 1);
     }},
    {"open", [](Silent& s) -> long { return TG_CALLS::open((s.folder + "/fifo").c_str(), O_RDONLY); }, true},
    {"openat",
     [](Silent& s) -> long { return TG_CALLS::openat(AT_FDCWD, (s.folder + "/fifo").c_str(), O_WRONLY); },
     true},
    {"recv", [](Silent& s) -> long { return TG_CALLS::recv(s.sockets.reading(), s.bytes.data(), 64, 0); }},
    {"recvfrom",
     [](Silent& s) -> long {
       return TG_CALLS::recvfrom(s.sockets.reading(), s.bytes.data(), 64, 0, nullptr, nullptr);
     }},
    {"recv_with_a_timeout",
     [](Silent& s) -> long {
       const timeval hour{3600, 0};
       ::setsockopt(s.sockets.reading(), SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);
       return TG_CALLS::recv(s.sockets.reading(), s.bytes.data(), 64, 0);
     }},
    {"recvmsg",
     [](Silent& s) -> long {
       iovec part{s.bytes.data(), 64};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       return TG_CALLS::recvmsg(s.sockets.reading(), &message, 0);
     }},
    {"send",
     [](Silent& s) -> long {
       return TG_CALLS::send(s.full_sockets.writing(), s.bytes.data(), s.bytes.size(), 0);
     }},
    {"sendto",
     [](Silent& s) -> long {
       return TG_CALLS::sendto(s.full_sockets.writing(), s.bytes.data(), s.bytes.size(), 0, nullptr, 0);
     }},
    {"sendmsg",
     [](Silent& s) -> long {
       iovec part{s.bytes.data(), s.bytes.size()};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       return TG_CALLS::sendmsg(s.full_sockets.writing(), &message, 0);
     }},
    {"accept", [](Silent& s) -> long { return TG_CALLS::accept(s.listener, nullptr, nullptr); }},
    {"accept4",
     [](Silent& s) -> long { return TG_CALLS::accept4(s.listener, nullptr, nullptr, SOCK_CLOEXEC); }},
    {"connect",
     [](Silent& s) -> long {
       const auto* const to = reinterpret_cast<const sockaddr*>(&s.address);
       ::connect(s.first_peer, to, sizeof s.address);  // fills the queue of the listener
       const int second = ::socket(AF_UNIX, SOCK_STREAM, 0);
       const long result = TG_CALLS::connect(second, to, sizeof s.address);
       keep_errno([&] { ::close(second); });
       return result;
     }},
    {"poll",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       return TG_CALLS::poll(&one, 1, -1);
     }},
    {"poll_with_a_timeout",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       return TG_CALLS::poll(&one, 1, 3'600'000);
     }},
    {"ppoll",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       sigset_t all;
       sigfillset(&all);
       return TG_CALLS::ppoll(&one, 1, nullptr, &all);
     }},
    {"select",
     [](Silent& s) -> long {
       fd_set set;
       FD_ZERO(&set);
       FD_SET(s.empty_pipe.reading(), &set);
       return TG_CALLS::select(s.empty_pipe.reading() + 1, &set, nullptr, nullptr, nullptr);
     }},
    {"pselect",
     [](Silent& s) -> long {
       fd_set set;
       FD_ZERO(&set);
       FD_SET(s.empty_pipe.reading(), &set);
       sigset_t all;
       sigfillset(&all);
       return TG_CALLS::pselect(s.empty_pipe.reading() + 1, &set, nullptr, nullptr, nullptr, &all);
     }},
    {"epoll_wait",
     [](Silent& s) -> long {
       epoll_event event{};
       return TG_CALLS::epoll_wait(s.epoll, &event, 1, -1);
     }},
    {"epoll_pwait",
     [](Silent& s) -> long {
       epoll_event event{};
       sigset_t all;
       sigfillset(&all);
       return TG_CALLS::epoll_pwait(s.epoll, &event, 1, -1, &all);
     }},
    {"wait4", [](Silent& s) -> long { return TG_CALLS::wait4(s.child.number(), nullptr, 0, nullptr); }},
    {"waitpid", [](Silent& s) -> long { return TG_CALLS::waitpid(s.child.number(), nullptr, 0); }},
    {"waitid",
     [](Silent& s) -> long {
       siginfo_t info{};
       return TG_CALLS::waitid(P_PID, static_cast<id_t>(s.child.number()), &info, WEXITED);
     }},
    {"nanosleep",
     [](Silent&) -> long {
       const timespec hour{3600, 0};
       timespec left{};
       const long result = TG_CALLS::nanosleep(&hour, &left);
       keep_errno([&] { EXPECT_TRUE(left.tv_sec > 3000 || left.tv_sec == 0) << left.tv_sec; });
       return result;
     }},
    {"clock_nanosleep",
     [](Silent&) -> long {
       const timespec hour{3600, 0};
       errno = TG_CALLS::clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, nullptr);
       return errno == 0 ? 0 : -1;
     }},
    {"flock", [](Silent& s) -> long { return TG_CALLS::flock(s.other_file, LOCK_EX); }, true},
    {"fcntl",
     [](Silent& s) -> long {
       struct flock whole = Silent::whole_file();
       return TG_CALLS::fcntl(s.other_file, F_OFD_SETLKW, &whole);
     },
     true},
    {"sigtimedwait",
     [](Silent&) -> long {
       sigset_t set;
       sigemptyset(&set);
       sigaddset(&set, SIGUSR2);
       const timespec hour{3600, 0};
       return TG_CALLS::sigtimedwait(&set, nullptr, &hour);
     },
     true},
    {"sigwaitinfo",
     [](Silent&) -> long {
       sigset_t all;
       sigfillset(&all);
       return TG_CALLS::sigwaitinfo(&all, nullptr);
     },
     true},
    {"pause", [](Silent&) -> long { return TG_CALLS::pause(); }},
    {"sigsuspend",
     [](Silent&) -> long {
       sigset_t all;
       sigfillset(&all);
       return TG_CALLS::sigsuspend(&all);
     }},
    {"mq_timedreceive",
     [](Silent& s) -> long {
       const mqd_t queue = Silent::message_queue();
       const long result = TG_CALLS::mq_timedreceive(queue, s.bytes.data(), 64, nullptr, &Silent::kFarAway);
       keep_errno([&] { ::mq_close(queue); });
       return result;
     }},
    {"mq_timedsend",
     [](Silent& s) -> long {
       const mqd_t queue = Silent::message_queue();
       ::mq_send(queue, s.bytes.data(), 16, 0);
       const long result = TG_CALLS::mq_timedsend(queue, s.bytes.data(), 16, 0, &Silent::kFarAway);
       keep_errno([&] { ::mq_close(queue); });
       return result;
     }},
    {"msgrcv", [](Silent& s) -> long { return TG_CALLS::msgrcv(s.messages, s.bytes.data(), 64, 0, 0); },
     true},
    {"msgsnd",
     [](Silent& s) -> long {
       struct {
         long type = 1;
         char text[8192] = {};
       } message;
       while (::msgsnd(s.messages, &message, sizeof message.text, IPC_NOWAIT) == 0) {
       }
       return TG_CALLS::msgsnd(s.messages, &message, sizeof message.text, 0);
     },
     true},
    {"semop",
     [](Silent& s) -> long {
       sembuf take{0, -1, 0};
       return TG_CALLS::semop(s.semaphores, &take, 1);
     },
     true},
    {"semtimedop",
     [](Silent& s) -> long {
       sembuf take{0, -1, 0};
       const timespec hour{3600, 0};
       return TG_CALLS::semtimedop(s.semaphores, &take, 1, &hour);
     },
     true},
    {"sem_wait", [](Silent& s) -> long { return TG_CALLS::sem_wait(&s.semaphore); }},
    {"splice",
     [](Silent& s) -> long {
       return TG_CALLS::splice(s.empty_pipe.reading(), nullptr, s.sockets.writing(), nullptr, 64, 0);
     },
     true},
    {"sendfile",
     [](Silent& s) -> long {
       Silent::require(::pwrite(s.other_file, s.bytes.data(), 4096, 0) == 4096);
       off_t begin = 0;
       return TG_CALLS::sendfile(s.full_sockets.writing(), s.other_file, &begin, 4096);
     },
     true},
};

}  // namespace tg::test
