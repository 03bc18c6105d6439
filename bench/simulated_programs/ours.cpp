// SPDX-License-Identifier: Apache-2.0
// Users' programs in simulated time, by threadgroup::sim.
#include <chrono>
#include <cstdint>
#include <stdexcept>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"

namespace {

using namespace std::chrono_literals;
using tg::thread_utils::event_aware_sleep;

// Six tasks are stopped while they sleep, and joined.
void six_sleepers() {
  tg::ThreadGroup group("Sleepers", {.max_concurrent_threads = 6});
  for (int i = 0; i < 6; ++i) group.post([] { event_aware_sleep(10ms); });
  event_aware_sleep(5ms);
  group.set_event();
  group.join();
}

// A program like that of a user's test: eight tasks, each of which does ten steps of work with pauses between.
void eight_tasks() {
  tg::ThreadGroup group("Workers", {.max_concurrent_threads = 8});
  int done = 0;
  for (int i = 0; i < 8; ++i) {
    group.post([&] {
      for (int step = 0; step < 10; ++step) {
        tg::sim::yield();
        event_aware_sleep(1ms);
      }
      ++done;
    });
  }
  group.join();
  tg::sim::check(done == 8, "all are done");
}

// Tasks that retry with growing pauses, for a year of virtual time.
void year_of_retries(std::int64_t tasks, std::int64_t& tries) {
  tg::ThreadGroup group("Retrying", {.max_concurrent_threads = static_cast<std::size_t>(tasks)});
  const tg::TimePoint end = tg::now() + tg::Duration(24h * 365);
  const auto ask = [&tries] {
    ++tries;
    if (tg::sim::random() % 4 != 0) throw std::runtime_error("down");
  };
  for (std::int64_t i = 0; i < tasks; ++i) {
    group.post([&] {
      while (tg::now() < end) {
        try {
          tg::with_retries(ask, {.max_tries = 10, .first_delay = 1min, .max_delay = 8h})();
        } catch (const std::runtime_error&) {
        }
        event_aware_sleep(1h);
      }
    });
  }
  group.join();
}

double microseconds_per_schedule(std::int64_t schedules, tg::FunctionRef<void()> program) {
  const bench::Stopwatch watch;
  const tg::sim::Report report =
      tg::sim::explore({.schedules = static_cast<std::size_t>(schedules), .budget = 1h}, program);
  if (report.failure) throw std::runtime_error(report.str());
  return watch.nanoseconds() / 1e3 / static_cast<double>(schedules);
}

}  // namespace

void bench::run(const Options& options) {
  const std::int64_t schedules = options.get("tasks", 50'000);
  microseconds_per_schedule(schedules / 10 + 1, six_sleepers);  // memory and stacks
  report("six_us", microseconds_per_schedule(schedules, six_sleepers));
  report("eight_per_s", 1e6 / microseconds_per_schedule(schedules / 5 + 1, eight_tasks));

  std::int64_t tries = 0;
  const std::int64_t tasks = options.get("threads", 1000);
  const Stopwatch watch;
  const tg::sim::Report year =
      tg::sim::explore({.schedules = 1, .budget = 1h}, [&] { year_of_retries(tasks, tries); });
  if (year.failure) throw std::runtime_error(year.str());
  report("year_s", watch.seconds() / 2);  // the first schedule is run twice
  report("year_tries", static_cast<double>(tries) / 2);
}
