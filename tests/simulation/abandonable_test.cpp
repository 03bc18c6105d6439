// SPDX-License-Identifier: Apache-2.0
// Calls that are left behind, in simulated time.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

#include <threadgroup/resolve.hpp>
#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include "simulation/simulation.hpp"

namespace tg {
namespace abandonable_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

// As a call that does not see a stop.
int answer_after(Duration time) {
  const Shield shield(1h);
  event_aware_sleep(time);
  return 7;
}

std::size_t left_behind() { return ThreadEventsController::instance().snapshot().abandoned().size(); }

TEST(SimulatedAbandonable, caller_goes_on_at_its_deadline_and_the_call_ends_by_itself) {
  const sim::Report report = sim::explore({.schedules = 100}, [] {
    const TimePoint begin = now();
    {
      const StopScope scope(1s);
      try {
        static_cast<void>(abandonable(answer_after, Duration(10s)));
        sim::check(false, "the call takes longer");
      } catch (const Stopped&) {
      }
    }
    sim::check(now() - begin < 2s, "the caller went on at its deadline");
    sim::check(left_behind() == 1, "the call runs on");
    event_aware_sleep(10s);
    sim::check(left_behind() == 0, "the call has ended");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedAbandonable, call_and_stop_at_the_same_moment_have_one_outcome) {
  bool has_ended = false;
  bool was_stopped = false;
  const sim::Report report = sim::explore({.schedules = 300}, [&] {
    {
      ThreadGroup group("Group");
      group.post([&] {
        try {
          sim::check(abandonable(answer_after, Duration(1s)) == 7, "a call that ends has its result");
          has_ended = true;
        } catch (const Stopped&) {
          was_stopped = true;
        }
      });
      event_aware_sleep(1s);
      group.set_event("now");
      group.join();
    }
    event_aware_sleep(1s);
    sim::check(left_behind() == 0, "the call has ended");
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_TRUE(has_ended);
  EXPECT_TRUE(was_stopped);
}

TEST(SimulatedAbandonable, call_that_ends_after_the_body_is_no_failure) {
  const sim::Report report = sim::explore({.schedules = 20}, [] {
    const StopScope scope(1s);
    try {
      static_cast<void>(abandonable(answer_after, Duration(10s)));
    } catch (const Stopped&) {
    }
  });
  EXPECT_FALSE(report.failure) << report.str();
}

// The steps of a schedule in which a call of this time outlives the body.
std::uint64_t steps_with_call_of(Duration time) {
  sim::Simulation& simulation = sim::Simulation::take(sim::Options().stack_bytes);
  const std::uint64_t before = simulation.progress().load();
  const auto run = [&] {
    const StopScope scope(1s);
    try {
      static_cast<void>(abandonable(answer_after, time));
    } catch (const Stopped&) {
    }
  };
  const auto outcome = simulation.run_program({.plan = sim::Plan::of_schedule(1, 100), .faults = {}}, run,
                                              TimePoint::never(), false);
  EXPECT_FALSE(outcome.failure) << *outcome.failure;
  const std::uint64_t steps = simulation.progress().load() - before;
  if (!outcome.was_abandoned) sim::Simulation::give_back(simulation);
  return steps;
}

TEST(SimulatedAbandonable, call_that_ends_long_after_the_body_takes_no_more_steps) {
  EXPECT_EQ(steps_with_call_of(10min), steps_with_call_of(10s));
}

TEST(SimulatedAbandonable, call_that_never_ends_fails_the_schedule_and_is_named) {
  const sim::Report report = sim::explore({.schedules = 1}, [] {
    const StopScope scope(1s, "gauges");
    try {
      abandonable(TaskName("driver"), [] {
        const Shield shield(1'000'000h);
        event_aware_sleep(1'000'000h);
      });
    } catch (const Stopped&) {
    }
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(
      report.str().find("left at the end of the program: call 'driver' (abandoned by 'MainThread/gauges'"),
      std::string::npos)
      << report.str();
}

TEST(SimulatedAbandonable, inner_call_waits_for_no_permit) {
  const sim::Report report = sim::explore({.schedules = 20}, [] {
    set_max_abandonable_calls(1);
    const StopScope scope;
    sim::check(abandonable([] {
                 const StopScope inner;
                 return abandonable([] { return 3; });
               }) == 3,
               "both calls were made");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedAbandonable, lookup_is_refused) {
  const sim::Report report = sim::explore({.schedules = 1}, [] {
    try {
      static_cast<void>(resolve("localhost", "80"));
      sim::check(false, "the system is not simulated");
    } catch (const std::logic_error&) {
    }
  });
  EXPECT_FALSE(report.failure) << report.str();
}

}  // namespace
}  // namespace abandonable_test
}  // namespace tg
