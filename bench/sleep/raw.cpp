// SPDX-License-Identifier: Apache-2.0
// The lower bound: threads that only sleep, with the finest timers, and without a queue or an event.
#include <sys/prctl.h>

#include <ctime>
#include <latch>
#include <thread>
#include <vector>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t bound = options.get("bound", 100);
  std::vector<std::jthread> threads;
  std::latch all_there(bound);
  std::latch go(1);
  for (std::int64_t t = 0; t < bound; ++t) {
    threads.emplace_back([=, &all_there, &go] {
      ::prctl(PR_SET_TIMERSLACK, 1UL);
      all_there.count_down();
      go.wait();
      constexpr std::timespec kOneMs{0, 1'000'000};
      for (std::int64_t i = t; i < tasks; i += bound) ::clock_nanosleep(CLOCK_MONOTONIC, 0, &kOneMs, nullptr);
    });
  }
  all_there.wait();
  const Stopwatch watch;
  go.count_down();
  threads.clear();
  report("ms", watch.milliseconds());
  report("times_ideal", watch.milliseconds() / (static_cast<double>(tasks) / static_cast<double>(bound)));
}
