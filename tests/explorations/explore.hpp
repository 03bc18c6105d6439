// SPDX-License-Identifier: Apache-2.0
// Explorations: a body of a few flows, run in thousands of schedules. src/sim/README.md explains them.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/planted.hpp"
#include "sim/explorer.hpp"
#include "sim/memory_model.hpp"

namespace tg::test {

/// Within a body: runs these as flows of their own, and returns when all have ended.
///
///     together({{"waiter", [&] { gate.wait_until(TimePoint::never()); }},
///               {"opener", [&] { gate.open(); }}});
void together(const std::vector<sim::Explorer::Part>& parts);

/// At the start of a body: time does not pass while a flow can run. Otherwise it does in one of four
/// schedules, as if a flow were slow, so that time-outs come at any moment.
void hold_clock();

/// At the start of a body: flows that wait for a source and an event sleep on two words. Otherwise they are linked
/// to both, as on a system that cannot wait for two.
void explore_two_words();

/// At the start of a body that explores the lock itself: the search looks at each step of a lock. Otherwise a
/// flow that wants a lock waits until it is free.
void look_into_locks();

/// At the start of a body: memory is weak. A load may read an older store if the orders of the accesses permit
/// it, and `sim::Plain` finds data races.
void weak_memory();

/// After `weak_memory`, for a planted mistake: accesses to the object that ask for an order have another one.
///
///     if (TG_PLANTED(unlock_publishes_nothing)) weaken(mutex, std::memory_order_release, std::memory_order_relaxed);
template <class T>
void weaken(const T& object, std::memory_order from, std::memory_order to) {
  sim::WeakMemory::running()->weaken(&object, sizeof object, from, to);
}

/// After `weak_memory`: the calling flow is about to use the memory for something else. The schedule fails unless
/// all accesses to words in it happen before.
void reuse(const void* memory, std::size_t bytes);

/// Within a body: the flow sleeps for a millisecond; with `hold_clock`, until no other flow can run.
void pause();

/// Within a body: writes into the trace what the flow did.
void say(const std::string& text);

/// Within a body: the schedule fails unless this holds. It prints the trace and a word that replays it.
void require(bool holds, const char* what);

/// Within a body: what runs it.
sim::Explorer& scheduler_of_body();

/// Runs the body in as many schedules as TG_SIM_SCHEDULES says (10,000), in a child process. A schedule fails
/// if `require` or a check of gtest does, if all flows sleep and none is left to wake them, if it does not
/// end, and if the process crashes. With TG_SIM_REPLAY=WORD, runs one schedule in this process and prints its
/// trace.
void explore(void (*body)());

/// Runs the body with a planted mistake, and expects that it fails within this many schedules.
void expect_found(detail::Planted mistake, const char* name, void (*body)(), std::size_t within);

/// The same by the search alone, without seeds.
void expect_found_by_search(detail::Planted mistake, const char* name, void (*body)(), std::size_t within);

/// Runs the body, and expects that it fails, and that the report contains this text. Control of the schedule
/// counts as lost if the body comes to no point for this many seconds.
void expect_failure(void (*body)(), const std::string& text, int seconds_without_point = 20);

/// The same, within this many schedules of the search.
void expect_failure_of_search(void (*body)(), const std::string& text, std::size_t within,
                              int seconds_without_point = 20);

/// What the body returns in all its schedules, which are run in this process: each order of its points, or as
/// few of them as the search with reduction runs.
struct AllSchedules {
  std::size_t schedules = 0;
  std::size_t needless = 0;
  bool is_complete = false;  // else there are too many
  std::set<std::uint64_t> results;
};
AllSchedules run_all(const std::function<std::uint64_t()>& body, bool is_reduced, std::size_t most);

/// Expects that each exploration does the same in another process, with a heap in another state.
void expect_same_everywhere();

struct NamedBody {
  const char* name;
  void (*run)();
};
/// All explorations.
std::vector<NamedBody>& bodies();

/// For the test that no planted mistake is without an exploration.
std::vector<detail::Planted>& looked_for();

}  // namespace tg::test

/// An exploration, which is a test: the body follows in braces.
#define TG_EXPLORATION(suite, name)                                                       \
  static void suite##_##name##_body();                                                    \
  static const bool suite##_##name##_is_known =                                           \
      (::tg::test::bodies().push_back({#suite "." #name, &suite##_##name##_body}), true); \
  TEST(suite, name) {                                                                     \
    static_cast<void>(suite##_##name##_is_known);                                         \
    ::tg::test::explore(&suite##_##name##_body);                                          \
  }                                                                                       \
  static void suite##_##name##_body()

/// The same where memory is weak.
#define TG_WEAK_EXPLORATION(suite, name)    \
  static void suite##_##name##_weak_body(); \
  TG_EXPLORATION(suite, name) {             \
    ::tg::test::weak_memory();              \
    suite##_##name##_weak_body();           \
  }                                         \
  static void suite##_##name##_weak_body()

/// The body of another exploration once more, where memory is weak.
#define TG_IN_WEAK_MEMORY(suite, name)           \
  TG_EXPLORATION(suite, name##_in_weak_memory) { \
    ::tg::test::weak_memory();                   \
    suite##_##name##_body();                     \
  }

/// A test that the exploration finds the planted mistake within this many schedules.
#define TG_FINDS(suite, name, mistake, within) TG_FINDS_AS(Planted, suite, name, mistake, within)
/// The same for a mistake that only the check of plain memory finds, in the build of races/.
#if defined(TG_RACES)
#define TG_FINDS_RACE(suite, name, mistake, within) TG_FINDS_AS(PlantedRace, suite, name, mistake, within)
#else
#define TG_FINDS_RACE(suite, name, mistake, within) \
  static const bool mistake##_is_looked_for =       \
      (::tg::test::looked_for().push_back(::tg::detail::Planted::mistake), true);
#endif
#define TG_FINDS_AS(group, suite, name, mistake, within)                                                \
  static const bool mistake##_is_looked_for =                                                           \
      (::tg::test::looked_for().push_back(::tg::detail::Planted::mistake), true);                       \
  TEST(group, mistake) {                                                                                \
    static_cast<void>(mistake##_is_looked_for);                                                         \
    ::tg::test::expect_found(::tg::detail::Planted::mistake, #mistake, &suite##_##name##_body, within); \
  }

/// The same for the search, which needs this many schedules.
#define TG_SEARCH_FINDS(suite, name, mistake, within)                                                    \
  TEST(PlantedForSearch, mistake) {                                                                      \
    ::tg::test::expect_found_by_search(::tg::detail::Planted::mistake, #mistake, &suite##_##name##_body, \
                                       within);                                                          \
  }
