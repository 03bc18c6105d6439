// SPDX-License-Identifier: Apache-2.0
// Stops at random moments, while signals of the program come too: none is lost, and no byte.
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <random>
#include <thread>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/spin.hpp"
#include "posix/counted_signals.hpp"
#include "posix/signal_test.hpp"
#include "runtime/processor.hpp"
#include "runtime/stoppable_call.hpp"
#include "support/eventually.hpp"
#include "support/pipe.hpp"
#include "support/signal_handler.hpp"
#include "support/threads_asleep.hpp"

#if TG_X86_64
#define TG_TEST_PROGRAM_COUNTER(context) (context).uc_mcontext.gregs[REG_RIP]
#elif TG_AARCH64
#define TG_TEST_PROGRAM_COUNTER(context) (context).uc_mcontext.pc
#endif

namespace tg::test {
namespace random_stops_test {
namespace {

using namespace std::chrono_literals;

class RandomStops : public SignalTest {};

// TG_POSIX_STOPS=1000000 in the environment for a long run.
int stops_wanted(int otherwise) {
  const char* const text = std::getenv("TG_POSIX_STOPS");
  return text != nullptr ? std::atoi(text) : otherwise;
}

[[maybe_unused]] void spin_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) detail::relax();
}

constexpr int kReaders = 16;

// Signals of the program to the readers, with a handler that restarts calls, for as long as it lives.
class ProgramSignals {
 public:
  // Widened: if a signal interrupts a thread between the look at the event and the call, or in the call, which the kernel
  // then begins again, the handler keeps it there for a while.
  enum class Window { as_it_is, widened };
  explicit ProgramSignals(Window window = Window::as_it_is) {
    struct sigaction action {};
    action.sa_sigaction = window == Window::widened ? &stay_in_window : &do_nothing;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    ::sigaction(SIGUSR1, &action, &before_);
    sender_ = std::thread([this] {
      while (!over_) {
        for (const std::atomic<int>& thread : threads_)
          if (thread != 0) ::syscall(SYS_tgkill, ::getpid(), thread.load(), SIGUSR1);
        std::this_thread::yield();
      }
    });
  }
  ~ProgramSignals() {
    over_ = true;
    sender_.join();
    // Discards those that are pending: by default they would end the process.
    static_cast<void>(std::signal(SIGUSR1, SIG_IGN));
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  ProgramSignals(const ProgramSignals&) = delete;
  ProgramSignals& operator=(const ProgramSignals&) = delete;

  // The calling thread is the reader of this number.
  void begin(std::size_t reader) { threads_[reader] = this_thread_number(); }

 private:
  static void do_nothing(int, siginfo_t*, void*) {}
  static void stay_in_window(int, siginfo_t*, void* raw) {
#if TG_STOPPABLE_CALLS
    const auto here =
        static_cast<std::uintptr_t>(TG_TEST_PROGRAM_COUNTER(*static_cast<const ucontext_t*>(raw)));
    if (here < reinterpret_cast<std::uintptr_t>(runtime::tg_stoppable_call_begin) ||
        here >= reinterpret_cast<std::uintptr_t>(runtime::tg_stoppable_call_end))
      return;
    const int error = errno;
    spin_for(20us);
    errno = error;
#else
    static_cast<void>(raw);
#endif
  }

  std::array<std::atomic<int>, kReaders> threads_{};
  std::atomic<bool> over_{false};
  std::thread sender_;
  struct sigaction before_ {};
};

struct Counted {
  std::int64_t written = 0;
  std::int64_t read = 0;
};

// Groups of readers are stopped while a writer feeds them; it holds still after the stop, so that a reader whose stop
// were lost would hang.
Counted stop_readers(ProgramSignals& signals, const Pipe& pipe, int stops) {
  Counted counted;
  std::minstd_rand random(7);
  for (int done = 0; done < stops; done += kReaders) {
    ThreadGroup group("readers", {.max_concurrent_threads = kReaders});
    std::atomic<std::int64_t> read{0};
    std::latch there(kReaders);
    for (std::size_t i = 0; i < kReaders; ++i) {
      group.post([&, i] {
        signals.begin(i);
        there.count_down();
        std::array<char, 3> bytes{};
        for (;;) {
          const ssize_t got = posix::read(pipe.reading(), bytes.data(), bytes.size());
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
      counted.written += ::write(pipe.writing(), bytes.data(), 1 + random() % bytes.size());
    }
    group.set_event("stop");
    group.join();
    counted.read += read;
  }
  counted.read += pipe.drain();
  return counted;
}

// None is doubled: each signal that has come was awaited. `stops` is that of readers; all but a few were in a call.
void expect_one_signal_each(const CountedSignals& of_stops, long stops) {
  EXPECT_EQ(of_stops.unawaited(), 0);
  EXPECT_LE(of_stops.seen() - of_stops.sent_again(), stops + kReaders);
  std::printf("             %ld signals for %ld stops; %ld of them sent again\n", of_stops.seen(), stops,
              of_stops.sent_again());
}

void expect_that_nothing_is_lost(const Pipe& pipe, int otherwise,
                                 ProgramSignals::Window window = ProgramSignals::Window::as_it_is) {
  const CountedSignals of_stops;
  ProgramSignals signals(window);
  const int stops = stops_wanted(otherwise);
  const Counted counted = stop_readers(signals, pipe, stops);
  EXPECT_EQ(counted.read, counted.written);
  expect_one_signal_each(of_stops, stops);
}

TEST_F(RandomStops, of_readers_of_a_pipe_lose_no_stop_and_no_byte) {
  expect_that_nothing_is_lost(Pipe(), 4'000);
}

TEST_F(RandomStops, of_readers_of_a_socket_lose_no_stop_and_no_byte) {
  expect_that_nothing_is_lost(Pipe::of_sockets(), 4'000);
}

TEST_F(RandomStops, in_a_widened_window_lose_no_stop_and_no_byte) {
  expect_that_nothing_is_lost(Pipe(), 1'600, ProgramSignals::Window::widened);
}

// The mistake that the instructions avoid: a look at the event, and then the call. A signal that comes in between ends
// nothing. It shows that a test in which the feeder holds still after the stop finds a stop that is lost.
TEST_F(RandomStops, are_lost_by_a_look_before_a_call) {
  static constinit std::atomic<int> received{0};
  received = 0;
  const SignalHandler handler(
      SIGUSR2, [](int) { ++received; }, 0);
  const Pipe pipe;
  std::atomic<int> thread{0};
  std::atomic<bool> is_over{false};
  ThreadGroup group("reader");
  group.post([&] {
    const int mine = this_thread_number();
    const OnStop signal([mine] { ::syscall(SYS_tgkill, ::getpid(), mine, SIGUSR2); });
    while (!thread_utils::event_is_set()) {
      thread = mine;
      // The widened window. ThreadSanitizer runs the handler in a function of the C library, such as the clock.
      while (received == 0) static_cast<void>(std::chrono::steady_clock::now());
      char byte = 0;
      static_cast<void>(::read(pipe.reading(), &byte, 1));
    }
    is_over = true;
  });
  eventually([&] { return thread != 0; });
  group.set_event("stop");
  eventually([&] { return received == 1 && (is_over || is_asleep(thread)); });
  EXPECT_FALSE(is_over) << "the stop is lost";
  EXPECT_EQ(::write(pipe.writing(), "x", 1), 1);
  group.join();
}

// Scopes end in the same moment as their calls.
TEST_F(RandomStops, by_deadlines_of_scopes_meet_calls_that_end) {
  const CountedSignals of_stops;
  ProgramSignals signals;
  const Pipe pipe;
  ThreadGroup group("scopes", {.max_concurrent_threads = 4});
  std::atomic<std::int64_t> written{0};
  std::atomic<std::int64_t> read{0};
  std::atomic<bool> over{false};
  for (int i = 0; i < 3; ++i) {
    group.post([&, i] {
      signals.begin(static_cast<std::size_t>(i));
      std::minstd_rand random(static_cast<unsigned>(i + 1));
      for (int round = 0; round < stops_wanted(3'000) / 3; ++round) {
        const StopScope scope(std::chrono::microseconds(random() % 300));
        char byte = 0;
        const ssize_t got = posix::read(pipe.reading(), &byte, 1);
        if (got == 1) ++read;
        else EXPECT_EQ(errno, ECANCELED);
      }
      over = true;
    });
  }
  group.post([&] {
    while (!over) {
      written += ::write(pipe.writing(), "x", 1);
      thread_utils::event_aware_sleep(std::chrono::microseconds(100));
    }
  });
  EXPECT_TRUE(group.join().failures.empty());
  read += pipe.drain();
  EXPECT_EQ(read, written);
  expect_one_signal_each(of_stops, stops_wanted(3'000));
}

// A stop that meets the end of the task, after which the thread serves another group.
TEST_F(RandomStops, meet_the_end_of_the_task) {
  const Pipe pipe;
  std::minstd_rand random(11);
  int begun = 0;
  for (int round = 0; round < stops_wanted(3'000); ++round) {
    ThreadGroup group("short");
    std::atomic<bool> has_begun{false};
    group.post([&] {
      char byte = 0;
      has_begun = true;
      if (posix::write(pipe.writing(), "x", 1) != 1) return;
      EXPECT_EQ(::read(pipe.reading(), &byte, 1), 1);
    });
    if (round % 4 != 0) eventually([&] { return has_begun.load(); });
    for (unsigned long pauses = random() % 500; pauses > 0; --pauses) detail::relax();
    group.set_event("stop");
    group.join();
    begun += has_begun ? 1 : 0;
  }
  EXPECT_GT(begun, stops_wanted(3'000) / 2);
}

}  // namespace
}  // namespace random_stops_test
}  // namespace tg::test
