// SPDX-License-Identifier: Apache-2.0
// Tests of the tester: what it reports, that it notices when it loses control, and that no planted mistake is
// forgotten.
#include <poll.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/detail/mutex.hpp>

#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/chooser.hpp"
#include "sim/search.hpp"

#include "explorations/explore.hpp"

namespace tg::test {
namespace tester_exploration {
namespace {

using detail::Atomic;
using runtime::Flow;

void sleep_forever() { Flow::current().park_until(TimePoint::never()); }

TEST(Tester, each_planted_mistake_is_looked_for) {
  const auto& all = looked_for();
#define TG_ONE(name)                                                             \
  EXPECT_NE(std::find(all.begin(), all.end(), detail::Planted::name), all.end()) \
      << #name " is in no TG_FINDS";
  TG_ALL_PLANTED(TG_ONE)
  TG_PLANTED_ORDERS(TG_ONE)
#undef TG_ONE
}

TEST(Tester, deadlock_is_reported) {
  expect_failure([] { sleep_forever(); }, "deadlock");
}

TEST(Tester, flow_that_is_left_asleep_is_reported) {
  expect_failure(
      [] {
        static Atomic<bool> begun{false};
        begun = false;
        sim::Explorer& here = scheduler_of_body();
        here.start([](void*) -> void* { return sleep_forever(), nullptr; }, nullptr);
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

TEST(Tester, waking_under_a_lock_is_reported) {
  expect_failure(
      [] {
        detail::Mutex mutex;
        Flow* sleeper = nullptr;
        together({{"sleeper", [&] { sleeper = &Flow::current(), sleep_forever(); }},
                  {"waker", [&] {
                     pause();
                     detail::MutexLock lock(mutex);
                     sleeper->unpark();
                   }}});
      },
      "woken while a lock was held");
}

TEST(Tester, sleeping_with_a_lock_is_reported) {
  expect_failure(
      [] {
        detail::Mutex mutex;
        detail::MutexLock lock(mutex);
        sleep_forever();
      },
      "sleep while it holds a lock");
}

TEST(Tester, crash_is_reported) {
  expect_failure([] { std::abort(); }, "crash");
}

TEST(Tester, exception_that_leaves_a_flow_is_reported) {
  expect_failure([] { together({{"throws", [] { throw 1; }}}); }, "crash");
}

TEST(Tester, flow_that_blocks_in_the_system_is_noticed) {
  expect_failure([] { ::poll(nullptr, 0, -1); },
                 "control of the schedule was lost: a flow blocks in the system", 1);
}

TEST(Tester, loop_without_a_point_is_noticed) {
  expect_failure(
      [] {
        for (;;) asm volatile("");
      },
      "control of the schedule was lost: a loop without a point", 1);
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
      "control of the schedule was lost: the same schedule took another course the second time");
}

TEST(Tester, schedules_are_the_same_in_another_process_and_with_another_heap) { expect_same_everywhere(); }

TEST(Tester, word_of_a_plan_means_the_same_plan) {
  for (std::uint64_t number = 0; number < 100; ++number) {
    const sim::Plan plan = sim::Plan::of_schedule(number, 17 * number);
    const auto again = sim::Plan::from_word(plan.word());
    ASSERT_TRUE(again) << plan.word();
    EXPECT_EQ(again->word(), plan.word());
  }
  for (const char* const word : {"path", "path-7-1", "path-7-1-12-2"})
    EXPECT_EQ(sim::Plan::from_word(word).value_or(sim::Plan()).word(), word);
  for (const char* const word :
       {"", "pct", "pct-3", "pct-3-4", "pct-3-4-5x", "walk", "walk-", "walk-x", "path-1", "path-1-"})
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

// Two flows read and write a word twice each. Says in which of the six orders the writes came, as four bits.
unsigned order_of_writes() {
  Atomic<unsigned> word{0};
  const auto change = [&](unsigned who) {
    for (int i = 0; i < 2; ++i) {
      const unsigned old = word.load();
      word.store(old << 1 | who);
    }
  };
  together({{"zero", [&] { change(0); }}, {"one", [&] { change(1); }}});
  return word.load() & 15U;
}

TEST(Tester, all_orders_of_a_small_body_are_seen) {
  expect_failure(
      [] {
        static unsigned seen = 0;
        seen |= 1U << order_of_writes();
        for (const unsigned order : {0b0011U, 0b0101U, 0b0110U, 0b1001U, 0b1010U, 0b1100U})
          if ((seen >> order & 1U) == 0) return;
        require(false, "all orders were seen");
      },
      "all orders were seen");
}

// The number of paths of a tree of choices is known: one without deviations, one with a single deviation for
// each choice, and so on.
TEST(Tester, search_runs_each_path_once_in_the_order_of_their_lengths) {
  sim::Search search(1000);
  const std::vector<std::uint32_t> options{2, 3, 1, 2};  // the same in each path
  std::vector<std::string> words;
  std::size_t length = 0;
  while (const auto plan = search.next()) {
    EXPECT_GE(plan->path.size(), length);
    length = plan->path.size();
    words.push_back(plan->word());
    search.branch(*plan, options);
  }
  EXPECT_EQ(search.complete(), 3U);
  EXPECT_EQ(words.size(), 2U * 3U * 1U * 2U);
  std::sort(words.begin(), words.end());
  EXPECT_EQ(std::unique(words.begin(), words.end()), words.end());
}

TEST(Tester, search_says_up_to_which_length_it_ran_all_paths) {
  const std::vector<std::uint32_t> options{2, 3, 1, 2};
  for (const auto& [most, complete] :
       {std::pair<std::size_t, std::size_t>{1, 0}, {4, 0}, {5, 1}, {9, 1}, {10, 2}, {12, 3}}) {
    sim::Search search(most);
    while (const auto plan = search.next()) search.branch(*plan, options);
    EXPECT_EQ(search.complete(), complete) << most;
  }
}

}  // namespace
}  // namespace tester_exploration
}  // namespace tg::test
