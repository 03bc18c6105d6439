// SPDX-License-Identifier: Apache-2.0
// What bodies and their tests call.
#include "explorations/explore.hpp"

#include <malloc.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "explorations/child.hpp"
#include "runtime/faults.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/dpor.hpp"
#include "sim/search.hpp"

namespace tg::test {

using sim::Explorer;
using sim::Plan;

void together(const std::vector<Explorer::Part>& parts) { scheduler_of_body().together(parts); }
void explore_two_words() { runtime::faults::explores_two_words = true; }
void hold_clock() { scheduler_of_body().hold_clock(); }
void look_into_locks() { scheduler_of_body().look_into_locks(); }
void weak_memory() {
  note_weak_memory();
  scheduler_of_body().weak_memory();
}
void reuse(const void* memory, std::size_t bytes) {
  if (auto* const weak = sim::WeakMemory::running()) weak->reuse(memory, bytes);
}
void pause() {
  const TimePoint end = runtime::after(Duration::from_nanos(1'000'000));
  while (runtime::now() < end) runtime::Flow::current().park_until(end);
}
void say(const std::string& text) { scheduler_of_body().say(text); }
void require(bool holds, const char* what) {
  if (!holds) scheduler_of_body().fail(what);
}

static std::string what_was_searched(const Outcome& outcome) {
  if (outcome.all)
    return "all of them, which are " + std::to_string(outcome.searched) +
           (outcome.is_reduced ? " after reduction (" + std::to_string(outcome.needless) + " needless)" : "");
  if (outcome.searched == 0) return "no search";
  if (outcome.is_reduced)
    return std::to_string(outcome.searched) + " of a search, the last with " +
           std::to_string(outcome.deviations) + " deviations (" + std::to_string(outcome.needless) +
           " needless)";
  return "all with up to " + std::to_string(outcome.deviations) + " deviations";
}

void explore(void (*body)()) {
  if (const char* const word = std::getenv("TG_SIM_REPLAY")) {
    const auto plan = Plan::from_word(word);
    ASSERT_TRUE(plan) << "TG_SIM_REPLAY is no word that a failure prints: " << word;
    return replay(*plan, body);
  }
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = explore_in_child(number_from_environment("TG_SIM_SCHEDULES", 10'000), body, false);
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  std::printf("             %llu schedules, %llu points and %.1f us each; %s\n",
              static_cast<unsigned long long>(outcome.schedules),
              static_cast<unsigned long long>(outcome.points / outcome.schedules),
              took.count() / static_cast<double>(outcome.schedules), what_was_searched(outcome).c_str());
  EXPECT_FALSE(outcome.failed) << outcome.why;
}

void expect_found(detail::Planted mistake, const char* name, void (*body)(), std::size_t within) {
  detail::planted = mistake;
  if (std::getenv("TG_SIM_REPLAY") != nullptr) {
    explore(body);
  } else {
    // With a strategy, the question is how many schedules that one needs.
    if (std::getenv("TG_SIM_STRATEGY") != nullptr)
      within = number_from_environment("TG_SIM_SCHEDULES", within);
    const Outcome outcome = explore_in_child(within, body, true);
    EXPECT_TRUE(outcome.failed) << name << " was not found in " << outcome.schedules << " schedules";
    if (outcome.failed)
      std::printf("             found by schedule %llu, %s\n",
                  static_cast<unsigned long long>(outcome.schedules), outcome.word.c_str());
  }
  detail::planted = detail::Planted::nothing;
}

void expect_found_by_search(detail::Planted mistake, const char* name, void (*body)(), std::size_t within) {
  const std::string before = std::exchange(settings.only, "dpor");
  expect_found(mistake, name, body, within);
  settings.only = before;
}

static void expect_failure_within(void (*body)(), const std::string& text, std::size_t schedules,
                                  int seconds) {
  settings.seconds_without_point = seconds;
  const Outcome outcome = explore_in_child(schedules, body, true);
  settings.seconds_without_point = ChildSettings::kSecondsWithoutPoint;
  EXPECT_TRUE(outcome.failed);
  EXPECT_NE(outcome.why.find(text), std::string::npos) << outcome.why;
}

void expect_failure(void (*body)(), const std::string& text, int seconds) {
  expect_failure_within(body, text, 100, seconds);
}

void expect_failure_of_search(void (*body)(), const std::string& text, std::size_t within, int seconds) {
  const std::string before = std::exchange(settings.only, "dpor");
  expect_failure_within(body, text, within, seconds);
  settings.only = before;
}

AllSchedules run_all(const std::function<std::uint64_t()>& body, bool is_reduced, std::size_t most) {
  Explorer& simulated = scheduler_here();
  AllSchedules all;
  const auto run = [&](const Plan& plan) {
    std::uint64_t result = 0;
    simulated.run(plan, [&] { result = body(); });
    all.results.insert(result);
  };
  run({});
  if (is_reduced) {
    sim::Dpor search(simulated.trace(), most);
    simulated.follow(&search);
    while (search.begin()) {
      run({});
      search.end();
    }
    simulated.follow(nullptr);
    all.schedules = search.schedules();
    all.needless = search.needless();
    all.is_complete = search.is_complete();
  } else {
    sim::Search search(most);
    while (const auto plan = search.next()) {
      run(*plan);
      search.branch(*plan, simulated.options());
      ++all.schedules;
    }
    all.is_complete = search.is_exhausted();
  }
  return all;
}

void expect_same_everywhere() {
  const char* const heaps[] = {"as it is", "with holes, and without the quick lists"};
  settings.wants_digest = true;
  for (const NamedBody& body : bodies()) {
    std::vector<std::uint64_t> digests;
    std::vector<void*> holes;
    for (const char* const heap : heaps) {
      if (heap != heaps[0]) {
        static_cast<void>(::mallopt(M_MXFAST, 0));
        for (std::size_t bytes = 16; bytes < 2048; bytes += 16) holes.push_back(std::malloc(bytes));
        for (std::size_t i = 0; i < holes.size(); i += 2) std::free(std::exchange(holes[i], nullptr));
      }
      const Outcome outcome = explore_in_child(20, body.run, false);
      EXPECT_FALSE(outcome.failed) << body.name << ", " << heap << ": " << outcome.why;
      digests.push_back(outcome.digest);
    }
    EXPECT_EQ(digests[0], digests[1]) << body.name;
    for (void* hole : holes) std::free(hole);
  }
  settings.wants_digest = false;
}

std::vector<NamedBody>& bodies() {
  static std::vector<NamedBody> all;
  return all;
}

std::vector<detail::Planted>& looked_for() {
  static std::vector<detail::Planted> all;
  return all;
}

}  // namespace tg::test
