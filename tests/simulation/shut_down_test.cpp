// SPDX-License-Identifier: Apache-2.0
// Shutting down in simulated time: the stages last exactly as long as planned.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <stdexcept>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace shut_down_test {
namespace {

using namespace std::chrono_literals;

TEST(SimulatedShutDown, takes_as_long_as_planned_and_no_longer) {
  const sim::Report explored = sim::explore({.schedules = 200}, [] {
    const TimePoint begin = now();
    ThreadGroup group("service");
    std::optional<TaskHandle<void>> refused;
    Mutex held;
    {
      const std::scoped_lock lock(held);
      ThreadGroup outside("outside", {.daemon = true});
      group.add_task(TaskName("stubborn"), [&] { const std::scoped_lock inner(held); });  // no event ends it
      group.add_task(TaskName("polite"), [] { thread_utils::event_aware_sleep(1h); });
      outside.post([&] {
        thread_utils::event_aware_sleep(30s);
        refused = group.add_task([] {});
      });
      const ShutdownReport report = group.shut_down({.drain = 1min, .stop = 2min});
      sim::check(now() - begin == Duration(3min), "it took " + to_string(now() - begin));
      sim::check(!report.drained && !report, "one task runs on");
      sim::check(report.ran_over.size() == 1 && report.ran_over[0].task.name == "stubborn", report.str());
      sim::check(report.ran_over[0].task.waits_for == "a mutex", report.str());
      sim::check(report.drain_took == Duration(1min) && report.stop_took == Duration(2min), report.str());
    }
    sim::check(refused->reason()->kind == ReasonKind::draining, "an outsider's task was refused");
    group.join();
  });
  EXPECT_FALSE(explored.failure) << explored.str();
}

TEST(SimulatedShutDown, ends_as_soon_as_all_tasks_have_ended) {
  const sim::Report explored = sim::explore({.schedules = 200}, [] {
    const TimePoint begin = now();
    ThreadGroup group("service", {.max_concurrent_threads = 1});
    for (int i = 0; i < 3; ++i) group.post([] { thread_utils::event_aware_sleep(1min); });
    const ShutdownReport report = ThreadEventsController::instance().shut_down({.drain = 1h});
    sim::check(report.drained && report.counts.succeeded == 3, report.str());
    sim::check(now() - begin == Duration(3min), "it took " + to_string(now() - begin));
  });
  EXPECT_FALSE(explored.failure) << explored.str();
}

TEST(SimulatedShutDown, refuses_to_wait_for_real_signals) {
  const sim::Report explored = sim::explore({.schedules = 1}, [] {
    bool refused = false;
    try {
      const SignalShutdown on_signal({});
    } catch (const std::logic_error&) {
      refused = true;
    }
    sim::check(refused, "a simulation has no signals");
  });
  EXPECT_FALSE(explored.failure) << explored.str();
}

}  // namespace
}  // namespace shut_down_test
}  // namespace tg
