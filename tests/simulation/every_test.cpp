// SPDX-License-Identifier: Apache-2.0
// Ticks in simulated time, in which they are exact.
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace every_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

TEST(SimulatedEvery, slow_body_gets_the_late_tick_at_once_and_misses_those_behind_it) {
  const sim::Report report = sim::explore({.schedules = 20}, [] {
    const TimePoint begin = now();
    std::vector<Duration> ticks;
    for (const TimePoint tick : every(1s)) {
      ticks.push_back(tick - begin);
      if (ticks.size() == 2) event_aware_sleep(2500ms);  // until 4.5 s
      if (ticks.size() == 5) break;
    }
    sim::check(ticks == std::vector<Duration>{1s, 2s, 3s, 5s, 6s}, "as Go's ticker");
    sim::check(now() - begin == Duration(6s), "each tick comes when it is due");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedEvery, loop_ends_in_the_moment_of_the_stop) {
  const sim::Report report = sim::explore({.schedules = 20}, [] {
    const TimePoint begin = now();
    ThreadGroup group("Loop", {.time_limit = 90s});
    auto count = group.add_task([] {
      int ticks = 0;
      for ([[maybe_unused]] const TimePoint tick : every(1min)) ++ticks;
      return ticks;
    });
    sim::check(count.get() == 1, "one tick before the limit");
    sim::check(now() - begin == Duration(90s), "after " + to_string(now() - begin));
  });
  EXPECT_FALSE(report.failure) << report.str();
}

}  // namespace
}  // namespace every_test
}  // namespace tg
