// SPDX-License-Identifier: Apache-2.0
// Scopes in simulated time.
#include <gtest/gtest.h>

#include <chrono>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace scopes_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

TEST(SimulatedScopes, deadline_and_grace_pass_exactly_in_each_schedule) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    const TimePoint begin = now();
    ThreadGroup group("Upload");
    const auto sent = group.add_task([&] {
      StopScope scope(10min, "send");
      sim::check(!event_aware_sleep(24h) && scope.timed_out(), "the deadline ends the sleep");
      const Shield shield(5min, "say so");
      sim::check(!event_aware_sleep(24h), "the grace is over");
      return now() - begin;
    });
    const Duration time = sent.get();
    sim::check(time == Duration(15min), "after " + to_string(time));
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_EQ(report.schedules, 50u);
}

TEST(SimulatedScopes, time_limit_of_a_task_passes_exactly) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    const TimePoint begin = now();
    ThreadGroup group("Upload", {.max_concurrent_threads = 1});
    group.post([] { event_aware_sleep(1h); });
    const auto second = group.add_task(TaskOptions{.name = "second", .time_limit = 10min}, [] {
      event_aware_sleep(24h);
      thread_utils::throw_if_event_set();
    });
    static_cast<void>(group.join());
    sim::check(second.status() == TaskStatus::stopped, "its own time limit stops it");
    sim::check(now() - begin == Duration(70min), "after " + to_string(now() - begin));
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedScopes, function_at_a_stop_meets_the_end_of_its_object) {
  const sim::Report report = sim::explore({.schedules = 200}, [] {
    StopScope scope;
    ThreadGroup outside("outside", {.daemon = true});
    outside.post([&] { scope.set_event(); });
    bool runs = false;
    {
      const OnStop on_stop([&] {
        runs = true;
        event_aware_sleep(1s);
        runs = false;
      });
      event_aware_sleep(1ms);
    }
    sim::check(!runs, "the destructor waits for the function");
    static_cast<void>(outside.join());
  });
  EXPECT_FALSE(report.failure) << report.str();
}

}  // namespace
}  // namespace scopes_test
}  // namespace tg
