// SPDX-License-Identifier: Apache-2.0
// The lower bound: threads that only sleep, with the finest timers, and without a queue or an event. They end
// after the clock was read, as those of a pool do.
#include <sys/prctl.h>

#include <ctime>
#include <latch>
#include <thread>
#include <vector>

#include "../common/futex.hpp"
#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t bound = options.get("bound", 100);
  std::vector<std::jthread> threads;
  std::latch all_there(bound);
  std::latch all_done(bound);
  std::atomic<std::uint32_t> go{0};
  std::atomic<std::uint32_t> over{0};
  for (std::int64_t t = 0; t < bound; ++t) {
    threads.emplace_back([=, &all_there, &all_done, &go, &over] {
      ::prctl(PR_SET_TIMERSLACK, 1UL);
      all_there.count_down();
      sleep_while_zero(go);
      constexpr std::timespec kOneMs{0, 1'000'000};
      for (std::int64_t i = t; i < tasks; i += bound) ::clock_nanosleep(CLOCK_MONOTONIC, 0, &kOneMs, nullptr);
      all_done.count_down();
      sleep_while_zero(over);
    });
  }
  all_there.wait();
  const Stopwatch watch;
  set_and_wake_all(go);
  all_done.wait();
  const double milliseconds = watch.milliseconds();
  set_and_wake_all(over);
  report("ms", milliseconds);
  report("times_ideal", milliseconds / (static_cast<double>(tasks) / static_cast<double>(bound)));
}
