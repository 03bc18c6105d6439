// SPDX-License-Identifier: Apache-2.0
// Each blocking function of the C library, by its own name: a stop ends it in a task and in a scope.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/msg.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include <threadgroup/threadgroup.hpp>

#define TG_CALLS  // the functions of the C library
#include "support/blocked_task.hpp"
#include "support/blocking_calls.hpp"

extern "C" {
// What the headers make of the calls under _FORTIFY_SOURCE.
ssize_t __read_chk(int, void*, std::size_t, std::size_t);
ssize_t __recv_chk(int, void*, std::size_t, std::size_t, int);
ssize_t __recvfrom_chk(int, void*, std::size_t, std::size_t, int, sockaddr*, socklen_t*);
int __poll_chk(pollfd*, nfds_t, int, std::size_t);
int __ppoll_chk(pollfd*, nfds_t, const timespec*, const sigset_t*, std::size_t);
int __open_2(const char*, int);
int __open64_2(const char*, int);
int __openat_2(int, const char*, int);
int __openat64_2(int, const char*, int);
}

namespace tg::test {
namespace calls_test {
namespace {

using namespace std::chrono_literals;

// Those that tg::posix has no name for.
constexpr BlockingCall kOthers[] = {
    {"read_fortified",
     [](Silent& s) -> long { return __read_chk(s.empty_pipe.reading(), s.bytes.data(), 64, 64); }},
    {"recv_fortified",
     [](Silent& s) -> long { return __recv_chk(s.sockets.reading(), s.bytes.data(), 64, 64, 0); }},
    {"recvfrom_fortified",
     [](Silent& s) -> long {
       return __recvfrom_chk(s.sockets.reading(), s.bytes.data(), 64, 64, 0, nullptr, nullptr);
     }},
    {"poll_fortified",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       return __poll_chk(&one, 1, -1, sizeof one);
     }},
    {"ppoll_fortified",
     [](Silent& s) -> long {
       pollfd one{s.empty_pipe.reading(), POLLIN, 0};
       return __ppoll_chk(&one, 1, nullptr, nullptr, sizeof one);
     }},
    {"open_fortified", [](Silent& s) -> long { return __open_2((s.folder + "/fifo").c_str(), O_RDONLY); }},
    {"open64_fortified",
     [](Silent& s) -> long { return __open64_2((s.folder + "/fifo").c_str(), O_RDONLY); }},
    {"openat_fortified",
     [](Silent& s) -> long { return __openat_2(AT_FDCWD, (s.folder + "/fifo").c_str(), O_RDONLY); }},
    {"openat64_fortified",
     [](Silent& s) -> long { return __openat64_2(AT_FDCWD, (s.folder + "/fifo").c_str(), O_RDONLY); }},
    {"open64", [](Silent& s) -> long { return ::open64((s.folder + "/fifo").c_str(), O_RDONLY); }},
    {"openat64",
     [](Silent& s) -> long { return ::openat64(AT_FDCWD, (s.folder + "/fifo").c_str(), O_RDONLY); }},
    {"creat", [](Silent& s) -> long { return ::creat((s.folder + "/fifo").c_str(), 0600); }},
    {"creat64", [](Silent& s) -> long { return ::creat64((s.folder + "/fifo").c_str(), 0600); }},
    {"lockf", [](Silent& s) -> long { return ::lockf(s.other_file, F_LOCK, 0); }},
    {"lockf64", [](Silent& s) -> long { return ::lockf64(s.other_file, F_LOCK, 0); }},
    {"fcntl64",
     [](Silent& s) -> long {
       struct flock whole = Silent::whole_file();
       return ::fcntl64(s.other_file, F_OFD_SETLKW, &whole);
     }},
    {"sendfile64",
     [](Silent& s) -> long {
       Silent::require(::pwrite(s.other_file, s.bytes.data(), 4096, 0) == 4096);
       off64_t begin = 0;
       return ::sendfile64(s.full_sockets.writing(), s.other_file, &begin, 4096);
     }},
    {"wait", [](Silent&) -> long { return ::wait(nullptr); }},
    {"wait3", [](Silent&) -> long { return ::wait3(nullptr, 0, nullptr); }},
    {"usleep", [](Silent&) -> long { return TG_CALLS::usleep(3'600'000'000U); }},
    {"sleep",
     [](Silent&) -> long {
       const unsigned left = ::sleep(3600);
       EXPECT_GT(left, 3000U);
       EXPECT_LE(left, 3600U);
       return -1;
     }},
    {"thrd_sleep",
     [](Silent&) -> long {
       const timespec hour{3600, 0};
       timespec left{};
       const int result = ::thrd_sleep(&hour, &left);
       EXPECT_LT(result, 0);
       EXPECT_GT(left.tv_sec, 3000);
       errno = ECANCELED;  // it has none
       return result + 1;
     }},
    {"sigwait",
     [](Silent&) -> long {
       sigset_t set;
       sigemptyset(&set);
       sigaddset(&set, SIGUSR2);
       int number = 0;
       errno = ::sigwait(&set, &number);
       return errno == 0 ? 0 : -1;
     }},
    {"mq_receive",
     [](Silent& s) -> long {
       const mqd_t queue = Silent::message_queue();
       const long result = ::mq_receive(queue, s.bytes.data(), 64, nullptr);
       keep_errno([&] { ::mq_close(queue); });
       return result;
     }},
    {"mq_send",
     [](Silent& s) -> long {
       const mqd_t queue = Silent::message_queue();
       ::mq_send(queue, s.bytes.data(), 16, 0);  // fills it
       const long result = ::mq_send(queue, s.bytes.data(), 16, 0);
       keep_errno([&] { ::mq_close(queue); });
       return result;
     }},
};

class InterposedCall : public testing::TestWithParam<BlockingCall> {
 protected:
  Silent silent_;
};

TEST_P(InterposedCall, is_stopped_while_it_blocks) {
  long result = 0;
  int error = 0;
  stop_while_asleep([&] {
    result = GetParam().call(silent_);
    error = errno;
  });
  EXPECT_EQ(result, -1);
  EXPECT_EQ(error, ECANCELED);
}

TEST_P(InterposedCall, returns_at_once_when_the_caller_is_stopped) {
  StopScope scope;
  scope.set_event("stop");
  EXPECT_EQ(GetParam().call(silent_), -1);
  EXPECT_EQ(errno, ECANCELED);
}

const auto name_of = [](const auto& test) { return std::string(test.param.name); };
INSTANTIATE_TEST_SUITE_P(OfPosix, InterposedCall, testing::ValuesIn(kBlockingCalls), name_of);
INSTANTIATE_TEST_SUITE_P(Others, InterposedCall, testing::ValuesIn(kOthers), name_of);

}  // namespace
}  // namespace calls_test
}  // namespace tg::test
