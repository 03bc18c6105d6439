// SPDX-License-Identifier: Apache-2.0
// Limits and failures that stop a group: without memory, and in crowds.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/threads.hpp"
#include "support/eventually.hpp"
#include "support/scarce_memory.hpp"

namespace tg {
namespace time_limits_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

// From here on each flow needs a new thread, and new threads have no memory at all.
class WithoutMemory : public testing::Test {
 protected:
  void SetUp() override {
    cache.set_limits(0, runtime::ThreadCache::kDefaultIdleTime);
    eventually([&] { return cache.statistics().threads == 0; });
    test::give_new_threads_none(true);
  }
  void TearDown() override {
    test::give_new_threads_none(false);
    cache.set_limits(runtime::ThreadCache::kDefaultMaxIdle, runtime::ThreadCache::kDefaultIdleTime);
  }

  runtime::ThreadCache& cache = runtime::ThreadCache::instance();
  const std::string long_name = std::string(100, 'g');
};

TEST_F(WithoutMemory, time_limit_stops_the_group_all_the_same) {
  ThreadGroup group(long_name, {.time_limit = 2ms});
  const auto sleeper = group.add_task([] { return thread_utils::event_aware_sleep(1h); });
  eventually([&] { return group.event_is_set(); });
  test::give_new_threads_none(false);
  EXPECT_EQ(sleeper.wait(), WaitOutcome::ready);  // stopped, or skipped if the limit was faster
  EXPECT_EQ(group.reason()->kind, ReasonKind::deadline);
  EXPECT_EQ(group.reason()->origin, group.id());
}

TEST_F(WithoutMemory, first_failure_stops_the_group_all_the_same) {
  ThreadGroup group(long_name, {.max_concurrent_threads = 1, .on_failure = OnFailure::set_event});
  const auto fails = group.add_task(TaskName{std::string(100, 't')}, [] { throw 7; });
  eventually([&] { return group.event_is_set(); });
  test::give_new_threads_none(false);
  EXPECT_THROW(fails.get(), int);
  EXPECT_EQ(group.reason()->kind, ReasonKind::failure);
  EXPECT_EQ(group.reason()->origin, group.id());
  EXPECT_EQ(group.add_task([] {}).status(), TaskStatus::skipped);
}

TEST(TimeLimit, reason_says_what_the_limit_was_and_whose) {
  ThreadGroup group("limited", {.time_limit = 2ms});
  const auto sleeper = group.add_task([] { return thread_utils::event_aware_sleep(1h); });
  EXPECT_EQ(sleeper.wait(), WaitOutcome::ready);  // stopped, or skipped if the limit was faster
  EXPECT_EQ(group.reason()->message, "2 ms");
  EXPECT_EQ(group.reason()->origin_path, "MainThread/limited");
}

TEST(TimeLimit, of_a_group_that_is_gone_does_not_hold_up_the_others) {
  std::optional<ThreadGroup> first;
  first.emplace("first", GroupOptions{.time_limit = 10ms});
  ThreadGroup second("second", {.time_limit = 20ms});
  first.reset();
  eventually([&] { return second.event_is_set(); });
  EXPECT_EQ(second.reason()->kind, ReasonKind::deadline);
}

// What the thread itself has spent: other programs on the machine do not count.
double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double seconds_to_destroy(std::size_t count) {
  std::vector<std::unique_ptr<ThreadGroup>> groups(count);
  for (auto& group : groups) group = std::make_unique<ThreadGroup>("g", GroupOptions{.time_limit = 1h});
  std::shuffle(groups.begin(), groups.end(), std::mt19937(1));
  const double begin = thread_seconds();
  groups.clear();
  return thread_seconds() - begin;
}

TEST(TimeLimit, of_one_group_among_many_costs_little_to_end) {
  constexpr std::size_t kFew = 1'000;
  constexpr std::size_t kMany = 32'000;
  static_cast<void>(seconds_to_destroy(kFew));  // whatever the first use costs
  // 32 times as many take 32 times as long and more, because they are not in the caches. If each looked
  // through all others, they would take 1000 times as long, each time. A busy machine may spoil one try.
  double ratio = 1000;
  for (int tries = 0; tries < 10 && ratio >= 200; ++tries) {
    const double few = seconds_to_destroy(kFew);
    ratio = seconds_to_destroy(kMany) / few;
  }
  EXPECT_LT(ratio, 200);
}

// How often other threads of this process than the calling one have gone to sleep.
long sleeps_of_others() {
  rusage all{};
  rusage own{};
  ::getrusage(RUSAGE_SELF, &all);
  ::getrusage(RUSAGE_THREAD, &own);
  return all.ru_nvcsw - own.ru_nvcsw;
}

TEST(TimeLimit, that_comes_and_goes_seldom_wakes_the_flow) {
  static_cast<void>(seconds_to_destroy(1));  // whatever the first use costs
  // The flow sleeps again each time it has waited a tenth of a second for more. If each limit woke it, it
  // would sleep thousands of times a second. It also sleeps when it finds the lock taken, which happens often
  // only where a busy machine stops the thread that has it; that may spoil one try.
  bool seldom = false;
  for (int tries = 0; tries < 10 && !seldom; ++tries) {
    const long before = sleeps_of_others();
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < 200ms) const ThreadGroup group("g", {.time_limit = 1h});
    const auto took = std::chrono::steady_clock::now() - begin;
    seldom = sleeps_of_others() - before <= 20 + took / 10ms;
  }
  EXPECT_TRUE(seldom);
}

}  // namespace
}  // namespace time_limits_test
}  // namespace tg
