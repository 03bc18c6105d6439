// SPDX-License-Identifier: Apache-2.0
// Runs a program that uses the library in thousands of schedules, in virtual time. Component threadgroup::sim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>

namespace tg {
inline namespace v0 {
/// Programs in simulated time: schedules, and what a program asks of its simulation.
namespace sim {

/// How schedules are chosen.
enum class Strategy {
  /// Random priorities that change at a few random points; each fourth schedule chooses at random at each
  /// point: S. Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs"
  /// (2010).
  pct,
  random_walk,  ///< at each point, any flow that can run
  /// All schedules, those that differ least from the simplest one first.
  exhaustive,
};

/// What a simulation lets go wrong. Each number is a probability, from 0 to 1.
struct Faults {
  double refused_threads = 0;     ///< for each thread that the library starts: the system refuses it
  double failed_allocations = 0;  ///< for each block that the library allocates: `std::bad_alloc`
  double delayed_flows = 0;       ///< of each time a flow is woken: it continues only after `delay`
  Duration delay = Duration::from_nanos(3'600'000'000'000);  ///< an hour
};

/// Options of `explore`.
struct Options {
  std::size_t schedules = 1000;       ///< at most; at least 1
  std::uint64_t seed = 0;             ///< another seed means other schedules
  Strategy strategy = Strategy::pct;  ///< how they are chosen
  int depth = 3;                      ///< of pct: how many orders of steps an error may need; from 1 to 1000
  /// Real time, after which it ends. One schedule alone that takes longer fails.
  Duration budget = Duration::from_nanos(60'000'000'000);
  Faults faults = {};                                 ///< what goes wrong in them
  std::size_t stack_bytes = std::size_t{256} * 1024;  ///< of each flow
};

/// A schedule in which the program failed.
struct SimFailure {
  std::string what;      ///< "deadlock: ...", a check that failed, an exception that left the program
  std::string schedule;  ///< one word, for `replay` and TG_SIM_REPLAY
  std::string trace;     ///< what each flow did, a step a line
  std::string waits;     ///< which flow waits for what, and which could end that; cycles first
  /// All of it as one text.
  TG_EXPORT std::string str() const;
};

/// What an exploration has found.
struct Report {
  std::size_t schedules = 0;          ///< how many were run
  bool complete = false;              ///< `Strategy::exhaustive` has run all of them
  std::optional<SimFailure> failure;  ///< of the last schedule; none if all passed
  TG_EXPORT std::string str() const;  ///< "1000 schedules, no failure"
};

/// Runs the program in one schedule after the other, and stops at the first in which it fails.
///
///     const tg::sim::Report report = tg::sim::explore({.schedules = 10'000}, [] {
///       tg::ThreadGroup group("Orders");
///       ...
///     });
///     EXPECT_FALSE(report.failure) << report.str();
///
/// In a simulation all tasks and threads of the library run on the calling thread, as flows. Another flow
/// continues only where one waits, wakes or starts another, yields, or ends. Time is virtual: `tg::now`
/// returns it, and it jumps to the next deadline when no flow can run. So a schedule is a function of its
/// seed, and a wait of ten minutes takes no time.
///
/// A schedule fails if
/// - an exception leaves the program, or the program calls `fail`, or `check` with a false condition;
/// - all flows wait and nothing can end that (a deadlock);
/// - a group is left at the end of the program;
/// - it takes another course when it runs a second time, which is tried with the first few;
/// - it has not ended within the budget.
///
/// A failed schedule runs again for its trace. If it could not go on, as in a deadlock, the objects on its
/// stacks are not destroyed.
///
/// Requires: the program makes its groups itself, and starts from the same state each time. It uses no other
/// threads, waits only through the library, and gets the time from `tg::now` and random numbers from
/// `sim::random`. docs/testing.md lists what cannot be simulated.
/// Throws `std::invalid_argument` if an option is out of its range, and `std::logic_error` within a
/// simulation.
/// Thread safety: any number of threads may explore at the same time.
TG_EXPORT Report explore(const Options& options, FunctionRef<void()> program);

/// Runs the program in the one schedule that `SimFailure::schedule` names, and writes its trace to stderr.
/// Throws `std::runtime_error` if the program fails, `std::invalid_argument` if `schedule` names no schedule,
/// and `std::logic_error` within a simulation.
TG_EXPORT void replay(const std::string& schedule, FunctionRef<void()> program);

/// Whether the caller runs in a simulation.
TG_EXPORT bool is_running() noexcept;

/// A random number. In a simulation it is part of the schedule.
TG_EXPORT std::uint64_t random();

/// Another flow may continue here. Outside a simulation it does nothing.
TG_EXPORT void yield() noexcept;

/// Fails the schedule. Outside a simulation it throws `std::runtime_error`.
[[noreturn]] TG_EXPORT void fail(const std::string& what);

/// Fails the schedule unless this holds.
inline void check(bool holds, std::string_view what) {
  if (!holds) fail(std::string(what));
}

/// Writes a line into the trace. Outside a simulation it does nothing.
TG_EXPORT void say(std::string_view text);

/// The system refuses the next `count` threads of the library. Throws `std::logic_error` outside a
/// simulation.
TG_EXPORT void refuse_threads(std::size_t count);

/// The library allocates `blocks` more blocks of memory, and gets `std::bad_alloc` for the next one. Throws
/// `std::logic_error` outside a simulation.
TG_EXPORT void fail_allocation_after(std::size_t blocks);

/// What TG_SIM_TEST does: `explore`, or `replay` if TG_SIM_REPLAY is set. TG_SIM_SCHEDULES replaces the number
/// of schedules. `test` is the name for the line that says how to replay.
TG_EXPORT Report run_test(Options options, const char* test, FunctionRef<void()> program);

}  // namespace sim
}  // namespace v0
}  // namespace tg

/// A test of GoogleTest, run in many schedules. Options may follow the name.
///
///     TG_SIM_TEST(Orders, none_is_lost, .schedules = 10'000) { ... }
///
/// Checks such as `EXPECT_EQ` fail the schedule. The message has the trace and a line that replays it.
#define TG_SIM_TEST(suite, name, ...)                                                       \
  static void suite##_##name##_program();                                                   \
  TEST(suite, name) {                                                                       \
    const ::tg::sim::Report report =                                                        \
        ::tg::sim::run_test(::tg::sim::Options{__VA_ARGS__}, #suite "." #name, [] {         \
          suite##_##name##_program();                                                       \
          if (::testing::Test::HasFailure()) ::tg::sim::fail("a check of the test failed"); \
        });                                                                                 \
    if (report.failure) GTEST_FAIL() << report.str();                                       \
  }                                                                                         \
  static void suite##_##name##_program()
