// SPDX-License-Identifier: Apache-2.0
// Ticks at a fixed rate. What slow loops see is tested in simulated time, in tests/simulation/every_test.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <stdexcept>
#include <string>

#include <threadgroup/core.hpp>

namespace tg {
namespace every_test {
namespace {

using namespace std::chrono_literals;

TEST(Every, ticks_are_one_interval_apart_and_none_is_early) {
  const TimePoint begin = now();
  int count = 0;
  TimePoint last = begin;
  for (const TimePoint tick : every(2ms)) {
    EXPECT_GE(now(), tick);
    EXPECT_GE(tick - last, Duration(2ms));
    last = tick;
    if (++count == 5) break;
  }
  EXPECT_GE(now() - begin, Duration(10ms));
}

TEST(Every, loop_ends_when_the_caller_is_stopped) {
  ThreadGroup group("Loop");
  std::latch ticked(1);
  auto ticks = group.add_task([&] {
    int count = 0;
    for ([[maybe_unused]] const TimePoint tick : every(1ms))
      if (++count == 3) ticked.count_down();
    return count;
  });
  ticked.wait();
  group.set_event();
  EXPECT_GE(ticks.get(), 3);
  EXPECT_EQ(ticks.status(), TaskStatus::succeeded);
}

TEST(Every, loop_with_a_long_interval_ends_at_once_when_the_caller_is_stopped) {
  ThreadGroup group("Loop");
  std::latch running(1);
  auto ticks = group.add_task([&] {
    running.count_down();
    int count = 0;
    for ([[maybe_unused]] const TimePoint tick : every(24h)) ++count;
    return count;
  });
  running.wait();
  group.set_event();
  EXPECT_EQ(ticks.get(), 0);
}

TEST(Every, stopped_caller_gets_no_tick_even_if_one_is_due) {
  ThreadGroup group("Loop");
  auto ticks = group.add_task([&] {
    Ticks range = every(1ns);
    static_cast<void>(range.next());
    thread_utils::set_event();
    return range.next().has_value();
  });
  EXPECT_FALSE(ticks.get());
}

TEST(Every, interval_that_is_not_longer_than_zero_is_refused) {
  EXPECT_THROW(every(0s), std::invalid_argument);
  EXPECT_THROW(every(-1s), std::invalid_argument);
  try {
    every(-5ms);
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "tg::every: the interval is -5 ms; it must be longer than zero");
  }
}

}  // namespace
}  // namespace every_test
}  // namespace tg
