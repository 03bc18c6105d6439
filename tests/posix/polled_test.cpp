// SPDX-License-Identifier: Apache-2.0
// Calls that poll, as on processors for which the library has no assembly: what they do besides ending with a stop.
#include <gtest/gtest.h>

#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "runtime/stoppable_call.hpp"
#include "support/blocked_task.hpp"
#include "support/eventually.hpp"
#include "support/pipe.hpp"

namespace tg::test {
namespace polled_test {
namespace {

using namespace std::chrono_literals;

static_assert(!runtime::kHasStoppableCalls);

// Sixteen threads see each byte come, and one gets it: none of the others may block in the call.
TEST(PolledCalls, of_many_readers_lose_no_stop_and_no_byte) {
  constexpr int kReaders = 16;
  for (const bool has_sockets : {false, true}) {
    const Pipe pipe(has_sockets ? Pipe::Kind::sockets : Pipe::Kind::pipe);
    std::atomic<int> read{0};
    int written = 0;
    for (int round = 0; round < 20; ++round) {
      ThreadGroup group("readers", {.max_concurrent_threads = kReaders});
      for (int i = 0; i < kReaders; ++i) {
        group.post([&] {
          char byte = 0;
          while (posix::read(pipe.reading(), &byte, 1) == 1) ++read;
          EXPECT_EQ(errno, ECANCELED);
        });
      }
      for (int i = 0; i < 50; ++i) written += static_cast<int>(::write(pipe.writing(), "x", 1));
      group.set_event("stop");
      EXPECT_TRUE(group.join().failures.empty());
    }
    EXPECT_EQ(read + pipe.drain(), written);
  }
}

TEST(PolledCalls, of_many_threads_that_accept_take_each_connection_once_and_are_stopped) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length =
      ::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "tg-polled-%d", ::getpid());  // no file
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<std::size_t>(length));
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 8), 0);
  std::atomic<int> accepted{0};
  {
    ThreadGroup group("acceptors", {.max_concurrent_threads = 8});
    std::atomic<int> begun{0};
    for (int i = 0; i < 8; ++i) {
      group.post([&] {
        ++begun;
        for (int peer = 0; (peer = posix::accept(listener, nullptr, nullptr)) >= 0; ::close(peer)) ++accepted;
        EXPECT_EQ(errno, ECANCELED);
      });
    }
    eventually([&] { return begun == 8; });
    for (int i = 0; i < 3; ++i) {
      const int peer = ::socket(AF_UNIX, SOCK_STREAM, 0);
      EXPECT_EQ(posix::connect(peer, reinterpret_cast<const sockaddr*>(&address), size), 0);
      ::close(peer);
    }
    eventually([&] { return accepted == 3; });
    group.set_event("stop");
    EXPECT_TRUE(group.join().failures.empty());
  }
  ::close(listener);
}

TEST(PolledCalls, write_all_that_the_reader_takes) {
  for (const bool has_sockets : {false, true}) {
    const Pipe pipe(has_sockets ? Pipe::Kind::sockets : Pipe::Kind::pipe);
    ThreadGroup group("writer");
    std::vector<char> bytes(1 << 20, 'x');
    const auto written =
        group.add_task([&] { return posix::write(pipe.writing(), bytes.data(), bytes.size()); });
    std::size_t got = 0;
    std::array<char, 4096> part{};
    while (got < bytes.size())
      got += static_cast<std::size_t>(::read(pipe.reading(), part.data(), part.size()));
    EXPECT_EQ(written.get(), static_cast<ssize_t>(bytes.size()));
  }
}

// --- Files without a type ---

template <class F>
void expect_stopped_while_asleep(F call) {
  stop_while_asleep([&] {
    EXPECT_EQ(call(), -1);
    EXPECT_EQ(errno, ECANCELED);
  });
}

TEST(PolledCalls, on_counters_timers_and_signals_are_stopped) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  const int counter = ::eventfd(0, 0);
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, 0);
  const int signals = ::signalfd(-1, &set, 0);
  std::array<char, 128> bytes{};
  for (const int fd : {counter, timer, signals})
    expect_stopped_while_asleep([&] { return posix::read(fd, bytes.data(), bytes.size()); });
  std::uint64_t number = UINT64_MAX - 1;  // as much as it holds
  EXPECT_EQ(::write(counter, &number, sizeof number), 8);
  number = 1;
  expect_stopped_while_asleep([&] { return posix::write(counter, &number, sizeof number); });
  const StopScope scope;
  EXPECT_EQ(posix::read(counter, &number, sizeof number), 8);
  EXPECT_EQ(number, UINT64_MAX - 1);
  EXPECT_EQ(posix::write(counter, &number, sizeof number), 8);
  for (const int fd : {counter, timer, signals}) ::close(fd);
}

TEST(PolledCalls, say_at_once_that_a_file_cannot_be_read) {
  const int counter = ::eventfd(0, 0);
  const int epoll = ::epoll_create1(0);
  const StopScope scope;
  std::array<char, 4> bytes{};  // a counter needs 8
  for (const int fd : {counter, epoll}) {
    EXPECT_EQ(posix::read(fd, bytes.data(), bytes.size()), -1);
    EXPECT_EQ(errno, EINVAL);
    ::close(fd);
  }
}

// --- Messages ---

TEST(PolledCalls, of_many_receivers_lose_no_message) {
  constexpr int kReceivers = 8;
  const std::string name = "/tg-polled-" + std::to_string(::getpid());
  mq_attr attributes{};
  attributes.mq_maxmsg = 2;
  attributes.mq_msgsize = 16;
  const mqd_t queue = ::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, &attributes);
  ASSERT_GE(queue, 0);
  ::mq_unlink(name.c_str());
  std::atomic<int> received{0};
  ThreadGroup group("receivers", {.max_concurrent_threads = kReceivers});
  for (int i = 0; i < kReceivers; ++i) {
    group.post([&] {
      std::array<char, 16> message{};
      while (posix::mq_timedreceive(queue, message.data(), message.size(), nullptr, nullptr) == 3) ++received;
      EXPECT_EQ(errno, ECANCELED);
    });
  }
  {
    const StopScope scope;
    for (int i = 0; i < 200; ++i) EXPECT_EQ(posix::mq_timedsend(queue, "abc", 3, 0, nullptr), 0);
  }
  eventually([&] { return received == 200; });
  group.set_event("stop");
  EXPECT_TRUE(group.join().failures.empty());
  std::array<char, 16> message{};
  const StopScope scope;
  timespec deadline{};
  EXPECT_EQ(posix::mq_timedreceive(queue, message.data(), message.size(), nullptr, &deadline), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  deadline.tv_nsec = -1;
  EXPECT_EQ(posix::mq_timedreceive(queue, message.data(), message.size(), nullptr, &deadline), -1);
  EXPECT_EQ(errno, EINVAL);
  ::mq_close(queue);
}

// --- What the plain calls do ---

TEST(PolledCalls, of_a_full_counter_that_does_not_block_do_not_wait) {
  const int counter = ::eventfd(0, EFD_NONBLOCK);
  std::uint64_t number = UINT64_MAX - 1;  // as much as it holds
  EXPECT_EQ(::write(counter, &number, sizeof number), 8);
  const StopScope scope(10s);
  number = 1;
  EXPECT_EQ(posix::write(counter, &number, sizeof number), -1);
  EXPECT_EQ(errno, EAGAIN);
  ::close(counter);
}

TEST(PolledCalls, for_sockets_refuse_a_pipe) {
  const Pipe pipe;
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  const StopScope scope;
  char byte = 0;
  EXPECT_EQ(posix::send(pipe.writing(), "y", 1, 0), -1);
  EXPECT_EQ(errno, ENOTSOCK);
  EXPECT_EQ(posix::recv(pipe.reading(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENOTSOCK);
  EXPECT_EQ(pipe.drain(), 1);
}

TEST(PolledCalls, keep_MSG_DONTWAIT_O_NONBLOCK_SO_RCVTIMEO_and_MSG_PEEK) {
  const Pipe pipe = Pipe::of_sockets();
  const StopScope scope;
  char byte = 0;
  EXPECT_EQ(posix::recv(pipe.reading(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  ::fcntl(pipe.reading(), F_SETFL, O_NONBLOCK);
  EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  ::fcntl(pipe.reading(), F_SETFL, 0);
  const timeval moment{0, 1'000};
  ::setsockopt(pipe.reading(), SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
  EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(::write(pipe.writing(), "abc", 3), 3);
  EXPECT_EQ(posix::recv(pipe.reading(), &byte, 1, MSG_PEEK), 1);
  EXPECT_EQ(posix::read(pipe.reading(), &byte, 0), 0);
  std::array<char, 2> bytes{};
  const iovec parts[] = {{&byte, 1}, {bytes.data(), bytes.size()}};
  EXPECT_EQ(posix::readv(pipe.reading(), parts, 2), 3);
  EXPECT_EQ(bytes[1], 'c');
}

TEST(PolledCalls, that_wait_for_descriptors_answer_as_the_plain_ones) {
  const Pipe pipe;
  const StopScope scope;
  pollfd both[] = {{pipe.reading(), POLLIN, 0}, {pipe.writing(), POLLOUT, 0}};
  EXPECT_EQ(posix::poll(both, 2, -1), 1);
  EXPECT_EQ(both[0].revents, 0);
  EXPECT_EQ(both[1].revents, POLLOUT);
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  fd_set readable;
  fd_set writable;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(pipe.reading(), &readable);
  FD_SET(pipe.writing(), &writable);
  const int most = std::max(pipe.reading(), pipe.writing()) + 1;
  EXPECT_EQ(posix::select(most, &readable, &writable, nullptr, nullptr), 2);
  EXPECT_TRUE(FD_ISSET(pipe.reading(), &readable));
  char byte = 0;
  EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), 1);
  timeval moment{0, 1'000};
  EXPECT_EQ(posix::select(most, &readable, nullptr, nullptr, &moment), 0);
  EXPECT_FALSE(FD_ISSET(pipe.reading(), &readable));
  const int epoll = ::epoll_create1(0);
  epoll_event event{EPOLLIN, {}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.reading(), &event);
  EXPECT_EQ(posix::epoll_wait(epoll, &event, 1, 1), 0);
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  EXPECT_EQ(posix::epoll_wait(epoll, &event, 1, -1), 1);
  ::close(epoll);
  const timespec past{1, 0};
  EXPECT_EQ(posix::clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, nullptr), 0);
}

}  // namespace
}  // namespace polled_test
}  // namespace tg::test
