// SPDX-License-Identifier: Apache-2.0
// Time limits of groups in simulated time.
#include <gtest/gtest.h>

#include <chrono>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace time_limits_test {
namespace {

using namespace std::chrono_literals;

// Each schedule begins at the same time, so the limits of the last one must not have left theirs behind.
TEST(SimulatedTimeLimits, pass_exactly_in_each_schedule) {
  const sim::Report report = sim::explore({.schedules = 20}, [] {
    const TimePoint begin = now();
    ThreadGroup group("Upload", {.time_limit = 10min});
    auto sent = group.add_task([] { return thread_utils::event_aware_sleep(24h); });
    sim::check(!sent.get(), "the limit ends the task");
    sim::check(now() - begin == Duration(10min), "after " + to_string(now() - begin));
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_EQ(report.schedules, 20u);
}

}  // namespace
}  // namespace time_limits_test
}  // namespace tg
