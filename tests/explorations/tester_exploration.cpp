// SPDX-License-Identifier: Apache-2.0
// The tester's own tests: what it reports, that it notices when it loses control, and that no planted mistake is
// forgotten.
#include <poll.h>

#include <algorithm>
#include <thread>

#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/strategy.hpp"

#include "explorations/explore.hpp"

namespace tg::test {
namespace {

using detail::Atomic;
using runtime::Flow;

void sleep_for_ever() { Flow::current().park_until(TimePoint::never()); }

TEST(Tester, each_planted_mistake_is_looked_for) {
  const auto& all = looked_for();
#define TG_ONE(name)                                                             \
  EXPECT_NE(std::find(all.begin(), all.end(), detail::Planted::name), all.end()) \
      << #name " is in no TG_FINDS";
  TG_ALL_PLANTED(TG_ONE)
#undef TG_ONE
}

TEST(Tester, deadlock_is_reported) {
  expect_failure([] { sleep_for_ever(); }, "deadlock");
}

TEST(Tester, flow_that_is_left_asleep_is_reported) {
  expect_failure(
      [] {
        static Atomic<bool> begun{false};
        begun = false;
        sim::Scheduler& here = scheduler_of_body();
        here.start([](void*) -> void* { return sleep_for_ever(), nullptr; }, nullptr);
      },
      "deadlock");
}

TEST(Tester, schedule_without_end_is_reported) {
  expect_failure(
      [] {
        Atomic<bool> never{false};
        while (!never.load()) {
        }
      },
      "does not end");
}

TEST(Tester, failed_requirement_is_reported) {
  expect_failure([] { require(false, "this and that"); }, "this and that");
}

TEST(Tester, failed_check_of_gtest_is_reported) {
  expect_failure([] { EXPECT_EQ(1, 2); }, "a check failed");
}

TEST(Tester, crash_is_reported) {
  expect_failure([] { std::abort(); }, "crash");
}

TEST(Tester, exception_that_leaves_a_flow_is_reported) {
  expect_failure([] { together({{"throws", [] { throw 1; }}}); }, "crash");
}

TEST(Tester, flow_that_blocks_in_the_system_is_noticed) {
  expect_failure([] { ::poll(nullptr, 0, -1); },
                 "control of the schedule was lost: a flow blocks in the system");
}

TEST(Tester, loop_without_a_point_is_noticed) {
  expect_failure(
      [] {
        for (;;) asm volatile("");
      },
      "control of the schedule was lost: a loop without a point");
}

TEST(Tester, thread_that_the_simulator_does_not_know_is_noticed) {
  expect_failure(
      [] {
        Atomic<int> count{0};
        std::thread([&] { count.fetch_add(1); }).join();
      },
      "control of the schedule was lost: a thread");
}

TEST(Tester, body_that_does_another_thing_each_time_is_noticed) {
  expect_failure(
      [] {
        static int runs = 0;
        Atomic<int> count{0};
        ++runs;
        for (int i = 0; i < runs % 7; ++i) count.fetch_add(1);
      },
      "control of the schedule was lost: the same schedule took another way the second time");
}

TEST(Tester, schedules_are_the_same_in_another_process_and_with_another_heap) { expect_same_everywhere(); }

TEST(Tester, word_of_a_plan_means_the_same_plan) {
  for (std::uint64_t number = 0; number < 100; ++number) {
    const sim::Plan plan = sim::Plan::of_schedule(number, 17 * number);
    const auto again = sim::Plan::from_word(plan.word());
    ASSERT_TRUE(again) << plan.word();
    EXPECT_EQ(again->word(), plan.word());
  }
  for (const char* const word :
       {"", "pct", "pct-3", "pct-3-4", "pct-3-4-5x", "walk", "walk-", "walk-x", "first-1"})
    EXPECT_FALSE(sim::Plan::from_word(word)) << word;
}

// An hour of sleep takes no time.
TG_EXPLORATION(Tester, time_jumps_when_all_flows_sleep) {
  hold_clock();
  const TimePoint begin = runtime::now();
  const TimePoint end = begin + Duration::from_nanos(3'600'000'000'000);
  while (runtime::now() < end) Flow::current().park_until(end);
  require(runtime::now() == end, "no time passed beyond the deadline");
}

// With two flows that each change a word twice, a walk and pct see all six orders.
TEST(Tester, all_orders_of_a_small_body_are_seen) {
  expect_failure(
      [] {
        static unsigned seen = 0;
        Atomic<unsigned> word{0};
        const auto change = [&](unsigned who) {
          for (int i = 0; i < 2; ++i) {
            unsigned old = word.load();
            word.store(old << 1 | who);
          }
        };
        together({{"zero", [&] { change(0); }}, {"one", [&] { change(1); }}});
        seen |= 1U << (word.load() & 15U);
        for (const unsigned order : {0b0011U, 0b0101U, 0b0110U, 0b1001U, 0b1010U, 0b1100U})
          if ((seen >> order & 1U) == 0) return;
        require(false, "all orders were seen");
      },
      "all orders were seen");
}

}  // namespace
}  // namespace tg::test
