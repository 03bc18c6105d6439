// SPDX-License-Identifier: Apache-2.0
// Calls that poll, as on processors for which the library has no assembly: what they do besides ending with a stop.
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <thread>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "runtime/stoppable_call.hpp"
#include "support/eventually.hpp"
#include "support/pipe.hpp"
#include "support/threads_asleep.hpp"

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
