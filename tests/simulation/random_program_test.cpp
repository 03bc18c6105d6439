// SPDX-License-Identifier: Apache-2.0
// The random program of tests/stress in simulated time: a thousand small programs instead of a large one.
#include "stress/random_program.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "runtime/engine.hpp"
#include "runtime/threads.hpp"
#include "simulation/simulation.hpp"

namespace tg::stress {
namespace random_program_test {
namespace {

// Sleeps, so that others run: time passes only while all flows wait.
void let_pass(Duration duration) {
  const TimePoint end = now() + duration;
  const char word = 0;
  while (now() < end) runtime::Engine::of_caller()->sleep(&word, end, nullptr);
}

// Runs them in flows without a task, which no event reaches.
void run_in_flows(const std::vector<std::function<void()>>& functions) {
  struct Running {
    const std::function<void()>* function;
    std::size_t* left;
  };
  std::size_t left = functions.size() - 1;
  std::vector<Running> running;
  for (std::size_t i = 0; i + 1 < functions.size(); ++i) running.push_back({&functions[i], &left});
  for (Running& one : running) {
    const auto run = [](void* raw) noexcept {
      const Running& me = *static_cast<Running*>(raw);
      (*me.function)();
      --*me.left;
    };
    for (;;) try {
        runtime::ThreadCache::instance().start({run, &one});
        break;
      } catch (const std::system_error&) {
      } catch (const std::bad_alloc&) {
      }
  }
  functions.back()();
  const auto all_have_ended = [&left] { return left == 0; };
  for (auto pause = std::chrono::milliseconds(1); !all_have_ended(); pause *= 2) let_pass(pause);
}

void run_program(bool threads_may_fail, bool memory_may_fail) {
  const std::uint64_t seed = sim::random();
  const Surroundings surroundings{
      .steps = 60,
      .flows = 3,
      .threads_may_fail = threads_may_fail,
      .memory_may_fail = memory_may_fail,
      .run_together = run_in_flows,
      .pause = [] { let_pass(Duration::from_nanos(1'000'000)); },
      .refuse_threads = [](int count) { sim::refuse_threads(static_cast<std::size_t>(count)); }};
  for (const std::string& complaint : run_random_program(seed, surroundings)) sim::fail(complaint);
}

// The handler of unseen failures belongs to the process, and a schedule that fails leaves its own behind.
class SimulatedRandomProgram : public testing::Test {
 protected:
  void explore(const sim::Options& options, bool threads_may_fail, bool memory_may_fail) {
    const sim::Report report = sim::run_test(options, "SimulatedRandomProgram.*",
                                             [&] { run_program(threads_may_fail, memory_may_fail); });
    EXPECT_FALSE(report.failure) << report.str();
  }
  ~SimulatedRandomProgram() override { set_unseen_failure_handler(before_); }

 private:
  const UnseenFailureHandler before_ = set_unseen_failure_handler({});
};

TEST_F(SimulatedRandomProgram, adds_up_and_leaves_an_empty_forest) {
  explore({.schedules = 1000}, false, false);
}

TEST_F(SimulatedRandomProgram, adds_up_when_threads_cannot_always_be_made) {
  explore({.schedules = 1000, .faults = {.refused_threads = 0.1}}, true, false);
}

TEST_F(SimulatedRandomProgram, adds_up_when_flows_are_delayed) {
  explore({.schedules = 1000, .faults = {.delayed_flows = 0.02, .delay = Duration::from_nanos(50'000'000)}},
          false, false);
}

TEST_F(SimulatedRandomProgram, adds_up_when_memory_runs_out) {
  explore({.schedules = 1000, .faults = {.failed_allocations = 0.02}}, false, true);
}

// --- The same seed, the same story ---

constexpr std::uint64_t kSeeds = tg::detail::kSanitized ? 200 : 1000;
constexpr const char* kPrintsStories = "TG_TEST_PRINTS_STORIES";  // set in the other process

sim::Schedule schedule_of(std::uint64_t seed) {
  return {sim::Plan::of_schedule(seed, 500),
          {.refused_threads = 0.05,
           .failed_allocations = seed % 2 == 0 ? 0 : 0.01,
           .delayed_flows = 0.01,
           .delay = std::chrono::milliseconds(50)}};
}

sim::Simulation& run_schedule(const sim::Schedule& schedule, bool tells, std::size_t stack_bytes) {
  sim::Simulation& simulation = sim::Simulation::take(stack_bytes);
  const auto outcome = simulation.run_program(
      schedule, [] { run_program(true, true); }, TimePoint::never(), tells);
  if (outcome.failure) ADD_FAILURE() << schedule.word() << ": " << *outcome.failure;
  if (!outcome.was_abandoned) sim::Simulation::give_back(simulation);
  return simulation;
}

constexpr std::size_t kStack = std::size_t{256} * 1024;

// The story of each seed, as a number. With `more_stack`, each hundred seeds use a simulation that has not
// been used before, which must make no difference.
std::vector<std::uint64_t> stories(std::size_t more_stack = 0) {
  std::vector<std::uint64_t> stories;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const sim::Simulation& simulation =
        run_schedule(schedule_of(seed), true, kStack + more_stack * (seed / 100 + 1));
    std::uint64_t story = simulation.trace().digest();
    for (const char c : simulation.trace().story(simulation.names(), ~std::size_t{0}))
      story = (story ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    stories.push_back(story);
  }
  return stories;
}

std::size_t how_many_differ(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  if (a.size() != b.size()) return std::max(a.size(), b.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] == b[i] ? 0 : 1;
  return count;
}

class SameSeed : public SimulatedRandomProgram {};

// A failure is found without a trace, and described by a run with one.
TEST_F(SameSeed, gives_the_same_schedule_with_and_without_a_trace_for_readers) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto what_happened = [&](bool tells) {
      const sim::Simulation& simulation = run_schedule(schedule_of(seed), tells, kStack);
      return std::pair(simulation.choices(), simulation.time_passed());
    };
    ASSERT_EQ(what_happened(false), what_happened(true)) << schedule_of(seed).word();
  }
}

TEST_F(SameSeed, gives_the_same_story_again) {
  const std::vector<std::uint64_t> first = stories();
  EXPECT_EQ(first.size(), kSeeds);
  EXPECT_EQ(how_many_differ(first, stories(4096)), 0U);
  EXPECT_GT(std::set<std::uint64_t>(first.begin(), first.end()).size(), kSeeds - 10)
      << "other seeds, other stories";
}

// This test runs itself with an allocator that keeps no lists of small blocks.
TEST_F(SameSeed, gives_the_same_story_in_another_process_with_another_allocator) {
  const std::vector<std::uint64_t> here = stories();
  if (std::getenv(kPrintsStories) != nullptr) {
    for (const std::uint64_t story : here) std::cout << "story " << story << '\n';
    return;
  }
  const std::string command =
      std::string(kPrintsStories) + "=1 GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0 '" +
      std::filesystem::read_symlink("/proc/self/exe").string() + "' --gtest_filter='" +
      testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() + "." +
      testing::UnitTest::GetInstance()->current_test_info()->name() + "'";
  FILE* const output = ::popen(command.c_str(), "r");
  ASSERT_NE(output, nullptr);
  std::vector<std::uint64_t> there;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), output) != nullptr) {
    std::istringstream words(line.data());
    std::string word;
    std::uint64_t story = 0;
    if (words >> word >> story && word == "story") there.push_back(story);
  }
  EXPECT_EQ(::pclose(output), 0);
  EXPECT_EQ(how_many_differ(here, there), 0U);
}

}  // namespace
}  // namespace random_program_test
}  // namespace tg::stress
