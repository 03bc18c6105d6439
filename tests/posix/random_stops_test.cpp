// SPDX-License-Identifier: Apache-2.0
// Stops at random moments, while signals of the program come too: none is lost, and no byte.
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <latch>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/spin.hpp"
#include "support/eventually.hpp"

namespace tg::test {
namespace random_stops_test {
namespace {

// TG_POSIX_STOPS=1000000 in the environment for a long run.
int stops_wanted(int otherwise) {
  const char* const text = std::getenv("TG_POSIX_STOPS");
  return text != nullptr ? std::atoi(text) : otherwise;
}

void do_nothing(int) {}

// Signals of the program, with a handler that restarts calls, for as long as it lives.
class ProgramSignals {
 public:
  ProgramSignals() {
    struct sigaction action {};
    action.sa_handler = &do_nothing;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, &before_);
    sender_ = std::thread([this] {
      sigset_t own;
      sigemptyset(&own);
      sigaddset(&own, SIGUSR1);
      ::pthread_sigmask(SIG_BLOCK, &own, nullptr);
      while (!over_) {
        ::kill(::getpid(), SIGUSR1);
        std::this_thread::yield();
      }
    });
  }
  ~ProgramSignals() {
    over_ = true;
    sender_.join();
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  ProgramSignals(const ProgramSignals&) = delete;
  ProgramSignals& operator=(const ProgramSignals&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::thread sender_;
  struct sigaction before_ {};
};

constexpr int kReaders = 16;

struct Counted {
  std::int64_t written = 0;
  std::int64_t read = 0;
};

// Groups of readers are stopped while a writer feeds them; it holds still after the stop, so that a reader whose stop
// were lost would hang.
Counted stop_readers(std::array<int, 2> ends, int stops) {
  Counted counted;
  std::minstd_rand random(7);
  for (int done = 0; done < stops; done += kReaders) {
    ThreadGroup group("readers", {.max_concurrent_threads = kReaders});
    std::atomic<std::int64_t> read{0};
    std::latch there(kReaders);
    for (int i = 0; i < kReaders; ++i) {
      group.post([&] {
        there.count_down();
        std::array<char, 3> bytes{};
        for (;;) {
          const ssize_t got = posix::read(ends[0], bytes.data(), bytes.size());
          if (got < 0) {
            EXPECT_EQ(errno, ECANCELED);
            return;
          }
          read += got;
        }
      });
    }
    there.wait();
    for (unsigned long writes = random() % 64; writes > 0; --writes) {
      const std::array<char, 5> bytes{};
      counted.written += ::write(ends[1], bytes.data(), 1 + random() % bytes.size());
    }
    group.set_event("stop");
    group.join();
    counted.read += read;
  }
  std::array<char, 4096> rest{};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  for (ssize_t got = 0; (got = ::read(ends[0], rest.data(), rest.size())) > 0;) counted.read += got;
  return counted;
}

TEST(RandomStops, of_readers_of_a_pipe_lose_no_stop_and_no_byte) {
  const ProgramSignals signals;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Counted counted = stop_readers(ends, stops_wanted(4'000));
  EXPECT_EQ(counted.read, counted.written);
  for (const int end : ends) ::close(end);
}

TEST(RandomStops, of_readers_of_a_socket_lose_no_stop_and_no_byte) {
  const ProgramSignals signals;
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const Counted counted = stop_readers(ends, stops_wanted(4'000));
  EXPECT_EQ(counted.read, counted.written);
  for (const int end : ends) ::close(end);
}

// Scopes end in the same moment as their calls.
TEST(RandomStops, by_deadlines_of_scopes_meet_calls_that_end) {
  const ProgramSignals signals;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ThreadGroup group("scopes", {.max_concurrent_threads = 4});
  std::atomic<std::int64_t> written{0};
  std::atomic<std::int64_t> read{0};
  std::atomic<bool> over{false};
  for (int i = 0; i < 3; ++i) {
    group.post([&, i] {
      std::minstd_rand random(static_cast<unsigned>(i + 1));
      for (int round = 0; round < stops_wanted(3'000) / 3; ++round) {
        const StopScope scope(std::chrono::microseconds(random() % 300));
        char byte = 0;
        const ssize_t got = posix::read(ends[0], &byte, 1);
        if (got == 1) ++read;
        else EXPECT_EQ(errno, ECANCELED);
      }
      over = true;
    });
  }
  group.post([&] {
    while (!over) {
      written += ::write(ends[1], "x", 1);
      thread_utils::event_aware_sleep(std::chrono::microseconds(100));
    }
  });
  EXPECT_TRUE(group.join().failures.empty());
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  char byte = 0;
  while (::read(ends[0], &byte, 1) == 1) ++read;
  EXPECT_EQ(read, written);
  for (const int end : ends) ::close(end);
}

// A stop that meets the end of the task, after which the thread serves another group.
TEST(RandomStops, meet_the_end_of_the_task) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::minstd_rand random(11);
  int begun = 0;
  for (int round = 0; round < stops_wanted(3'000); ++round) {
    ThreadGroup group("short");
    std::atomic<bool> has_begun{false};
    group.post([&] {
      char byte = 0;
      has_begun = true;
      if (posix::write(ends[1], "x", 1) != 1) return;
      EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    });
    if (round % 4 != 0) eventually([&] { return has_begun.load(); });
    for (unsigned long pauses = random() % 500; pauses > 0; --pauses) detail::relax();
    group.set_event("stop");
    group.join();
    begun += has_begun ? 1 : 0;
  }
  EXPECT_GT(begun, stops_wanted(3'000) / 2);
  for (const int end : ends) ::close(end);
}

}  // namespace
}  // namespace random_stops_test
}  // namespace tg::test
