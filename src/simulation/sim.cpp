// SPDX-License-Identifier: Apache-2.0
// One schedule after the other, and what a program asks of its simulation.
#include <threadgroup/sim.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "runtime/random.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/search.hpp"
#include "simulation/simulation.hpp"
#include "simulation/watchdog.hpp"

namespace tg {
inline namespace v0 {
namespace sim {

namespace {

// How many schedules, the first ones, run twice to compare them.
constexpr std::size_t kRunTwice = 4;
constexpr std::size_t kShownSteps = 400;
constexpr int kMostDepth = 1000;

void check(const Options& options) {
  const auto is_probability = [](double p) { return p >= 0 && p <= 1; };
  if (options.schedules == 0) throw std::invalid_argument("sim::explore: schedules is 0; give at least 1");
  if (options.depth < 1 || options.depth > kMostDepth)
    throw std::invalid_argument("sim::explore: depth must be at least 1, and at most 1000");
  if (options.budget <= Duration()) throw std::invalid_argument("sim::explore: budget must be above zero");
  if (options.stack_bytes < kLeastStack)
    throw std::invalid_argument("sim::explore: stack_bytes must be at least 16384");
  const Faults& faults = options.faults;
  if (!is_probability(faults.refused_threads) || !is_probability(faults.failed_allocations) ||
      !is_probability(faults.delayed_flows))
    throw std::invalid_argument("sim::explore: each of the faults must be a probability, from 0 to 1");
  if (faults.delay < Duration()) throw std::invalid_argument("sim::explore: delay must not be negative");
}

Simulation& simulation_for(const char* call) {
  if (Simulation* const simulation = Simulation::of_caller()) return *simulation;
  throw std::logic_error(std::string(call) + ": the caller does not run in a simulation");
}

const char* environment(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no program changes it during a test
}

std::size_t schedules_from(std::string_view text) {
  std::size_t schedules = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), schedules);
  if (error != std::errc() || end != text.data() + text.size() || schedules == 0)
    throw std::invalid_argument("TG_SIM_SCHEDULES is '" + std::string(text) +
                                "'; give a number of at least 1");
  return schedules;
}

void refuse_nesting(const char* call) {
  if (is_running()) throw std::logic_error(std::string(call) + ": the caller runs in a simulation already");
}

// The plans of the schedules. `choices` is how many choices the last schedule had.
class Plans {
 public:
  explicit Plans(const Options& options) : options_(options), search_(options.schedules) {}

  std::optional<Plan> next(std::size_t choices) {
    if (options_.strategy == Strategy::exhaustive) return search_.next();
    if (number_ == options_.schedules) return std::nullopt;
    if (number_++ == 0) return Plan{};  // the simplest one
    const std::size_t kind = number_ % 4;
    Plan plan;
    // Mixed, so that seeds that differ little give different schedules.
    plan.seed = Random(options_.seed * 0x9E3779B97F4A7C15u + number_).next();
    plan.kind = options_.strategy == Strategy::random_walk || kind == 3 ? Plan::Kind::walk : Plan::Kind::pct;
    if (plan.kind == Plan::Kind::pct) {
      plan.depth = static_cast<unsigned>(std::max(1, options_.depth - 1 + static_cast<int>(kind)));
      plan.length = choices;
    }
    return plan;
  }
  void ran(const Plan& plan, const Simulation& simulation) {
    if (options_.strategy == Strategy::exhaustive) search_.branch(plan, simulation.options());
  }
  bool complete() const noexcept {
    return options_.strategy == Strategy::exhaustive && search_.is_exhausted();
  }

 private:
  const Options& options_;
  Search search_;
  std::size_t number_ = 0;
};

// Runs the schedule again, for its trace.
SimFailure describe(const Schedule& schedule, Simulation::Outcome outcome, Duration budget,
                    FunctionRef<void()> program) {
  SimFailure failure{*outcome.failure, schedule.word(), {}, outcome.waits};
  if (outcome.is_over_budget) return failure;
  Simulation& simulation = Simulation::take(schedule.stack_bytes);
  const Simulation::Outcome again = simulation.run_program(schedule, program, runtime::after(budget), true);
  failure.trace = simulation.trace().story(simulation.names(), kShownSteps);
  failure.waits = again.waits;
  if (!again.failure) {
    failure.what +=
        "\n(It did not fail when it ran again, so the program is not deterministic: see "
        "docs/testing.md.)";
  }
  if (!again.was_abandoned) Simulation::give_back(simulation);
  return failure;
}

class Exploration {
 public:
  Exploration(const Options& options, FunctionRef<void()> program)
      : options_(options),
        program_(program),
        plans_(options),
        end_(runtime::after(options.budget)),
        simulation_(&Simulation::take(options.stack_bytes)),
        watchdog_(simulation_->progress()) {}

  Report run() {
    Report report;
    while (const auto plan = plans_.next(choices_)) {
      const Schedule schedule{*plan, options_.faults, options_.stack_bytes};
      report.failure = try_one(schedule, report.schedules++ < kRunTwice);
      if (report.failure) return report;
      choices_ = std::max<std::size_t>(simulation_->choices(), 1);
      plans_.ran(*plan, *simulation_);
      if (runtime::now() >= end_) break;
    }
    report.complete = plans_.complete();
    Simulation::give_back(*simulation_);
    return report;
  }

 private:
  std::optional<SimFailure> try_one(const Schedule& schedule, bool twice) {
    // Each may take as long as all: a schedule that is short does not fail because it is the last one.
    const TimePoint end = runtime::after(options_.budget);
    Simulation::Outcome outcome = simulation_->run_program(schedule, program_, end, false);
    if (!outcome.failure && twice) {
      const Trace first = simulation_->trace();
      outcome = simulation_->run_program(schedule, program_, end, false);
      if (!outcome.failure && first.digest() != simulation_->trace().digest()) {
        outcome.failure =
            "the program is not deterministic: the same schedule took another course the second "
            "time, at " +
            first.difference(simulation_->trace());
      }
    }
    if (!outcome.failure) return std::nullopt;
    if (!outcome.was_abandoned) Simulation::give_back(*simulation_);
    return describe(schedule, std::move(outcome), options_.budget, program_);
  }

  const Options& options_;
  const FunctionRef<void()> program_;
  Plans plans_;
  const TimePoint end_;
  Simulation* const simulation_;
  const Watchdog watchdog_;
  std::size_t choices_ = 1;
};

}  // namespace

std::string SimFailure::str() const {
  std::string text = what + "\n";
  if (!trace.empty()) text += "What happened:\n" + trace;
  if (!waits.empty()) text += "Who waits:\n" + waits;
  return text + "That was: " + what + "\nSchedule: " + schedule + "\n";
}

std::string Report::str() const {
  if (failure) return fmt::format("schedule {} failed: {}", schedules, failure->str());
  return fmt::format("{} schedules, no failure{}", schedules, complete ? "; these are all" : "");
}

Report explore(const Options& options, FunctionRef<void()> program) {
  refuse_nesting("sim::explore");
  check(options);
  return Exploration(options, program).run();
}

void replay(const std::string& word, FunctionRef<void()> program) {
  refuse_nesting("sim::replay");
  const auto schedule = Schedule::from_word(word);
  if (!schedule) throw std::invalid_argument("sim::replay: '" + word + "' is not the word of a schedule");
  Simulation& simulation = Simulation::take(schedule->stack_bytes);
  const Simulation::Outcome outcome = simulation.run_program(*schedule, program, TimePoint::never(), true);
  std::fputs(simulation.trace().story(simulation.names(), ~std::size_t{0}).c_str(), stderr);
  if (!outcome.was_abandoned) Simulation::give_back(simulation);
  if (!outcome.failure) return;
  std::fprintf(stderr, "%s\n%s", outcome.failure->c_str(), outcome.waits.c_str());
  throw std::runtime_error("schedule " + word + " failed: " + *outcome.failure);
}

bool is_running() noexcept { return Simulation::of_caller() != nullptr; }

std::uint64_t random() { return runtime::random_number(); }

void yield() noexcept {
  if (Simulation* const simulation = Simulation::of_caller()) simulation->yield(__builtin_return_address(0));
}

void fail(const std::string& what) {
  if (Simulation* const simulation = Simulation::of_caller()) simulation->fail_here(what);
  throw std::runtime_error(what);
}

void say(std::string_view text) {
  if (Simulation* const simulation = Simulation::of_caller()) simulation->say(text);
}

void refuse_threads(std::size_t count) { simulation_for("sim::refuse_threads").refuse_threads(count); }

void fail_allocation_after(std::size_t blocks) {
  simulation_for("sim::fail_allocation_after").fail_allocation_after(blocks);
}

Report run_test(Options options, const char* test, FunctionRef<void()> program) {
  if (const char* const word = environment("TG_SIM_REPLAY")) {
    Report report;
    report.schedules = 1;
    try {
      check(options);
      replay(word, program);
    } catch (const std::runtime_error& e) {
      report.failure = SimFailure{e.what(), word, {}, {}};
    }
    return report;
  }
  if (const char* const schedules = environment("TG_SIM_SCHEDULES"))
    options.schedules = schedules_from(schedules);
  Report report = explore(options, program);
  if (!report.failure && !report.complete && report.schedules < options.schedules) {
    std::printf("             %zu of %zu schedules, within the budget of %s\n", report.schedules,
                options.schedules, to_string(options.budget).c_str());
  }
  if (report.failure) {
    report.failure->waits += fmt::format("Replay: TG_SIM_REPLAY={} {} --gtest_filter={}\n",
                                         report.failure->schedule, program_invocation_short_name, test);
  }
  return report;
}

}  // namespace sim
}  // namespace v0
}  // namespace tg
