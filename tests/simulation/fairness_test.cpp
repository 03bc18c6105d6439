// SPDX-License-Identifier: Apache-2.0
// How long tasks wait for a thread while there are too few, in exact ages.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"

namespace tg {
namespace fairness_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

constexpr int kOthers = 20;
constexpr std::size_t kSchedules = tg::detail::kSanitized ? 40 : 200;

// All threads but one are in tasks that sleep for hours. The group with the last one always has more to do.
TEST(Fairness, group_with_endless_work_leaves_its_thread_to_others_within_a_turn) {
  const sim::Report report = sim::explore({.schedules = kSchedules}, [] {
    int rounds = 0;
    int begun = 0;
    Duration oldest;
    std::deque<ThreadGroup> others;
    for (int i = 0; i < kOthers; ++i) {
      ThreadGroup& other = others.emplace_back("other", GroupOptions{.max_concurrent_threads = 2});
      other.post([] { event_aware_sleep(10h); });
    }
    ThreadGroup endless("endless", {.max_concurrent_threads = 1});
    constexpr int kRounds = 3000;
    for (int i = 0; i < kRounds; ++i) endless.post([&] { event_aware_sleep(1ms), ++rounds; });
    event_aware_sleep(5ms);  // each of these groups has one thread now

    sim::refuse_threads(1'000'000);
    for (ThreadGroup& other : others) {
      other.post([&, added = now()] {
        oldest = std::max(oldest, now() - added);
        ++begun;
      });
    }
    event_aware_sleep(1s);
    sim::check(begun == kOthers, "each has begun");
    sim::check(oldest <= Duration(15ms), "after a turn of 10 ms, and the task that is under way then");
    sim::check(rounds > 900, "the other group has continued");
    endless.set_event();
    for (ThreadGroup& other : others) other.set_event();
  });
  EXPECT_FALSE(report.failure) << report.str();
}

}  // namespace
}  // namespace fairness_test
}  // namespace tg
