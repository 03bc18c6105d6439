// SPDX-License-Identifier: Apache-2.0
// Exploring programs: what fails a schedule, what a report says, and virtual time.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"

namespace tg {
namespace explore_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

// Two tasks that read, wait for a moment, and write.
void lost_update() {
  int stock = 0;
  ThreadGroup group("Orders");
  for (int i = 0; i < 2; ++i) {
    group.post([&] {
      const int seen = stock;
      sim::yield();
      stock = seen + 1;
    });
  }
  static_cast<void>(group.join());
  sim::check(stock == 2, "an update was lost");
}

TEST(Explore, finds_a_lost_update_and_replays_it) {
  const sim::Report report = sim::explore({}, lost_update);
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(report.failure->what, "an update was lost");
  EXPECT_LT(report.schedules, 100u);
  EXPECT_NE(report.failure->trace.find("Orders"), std::string::npos) << report.str();
  EXPECT_THROW(sim::replay(report.failure->schedule, lost_update), std::runtime_error);
}

TEST(Explore, passes_a_program_without_mistakes) {
  const sim::Report report = sim::explore({.schedules = 500}, [] {
    ThreadGroup group("Jobs", {.max_concurrent_threads = 3});
    int done = 0;
    for (int i = 0; i < 6; ++i) group.post([&] { event_aware_sleep(10ms), ++done; });
    static_cast<void>(group.join());
    sim::check(done == 6, "all are done");
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_EQ(report.schedules, 500u);
}

TEST(Explore, time_is_virtual) {
  const auto begin = std::chrono::steady_clock::now();
  const sim::Report report = sim::explore({.schedules = 10}, [] {
    const TimePoint start = now();
    ThreadGroup group("Slow");
    group.post([] { event_aware_sleep(10h); });
    sim::check(group.join(1h).timed_out, "ten hours are longer than one");
    static_cast<void>(group.join());
    sim::check(now() - start == Duration(10h), "exactly ten hours have passed");
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);
}

struct Answers {
  Key<int> answer{"answer"};
};

TEST(Explore, deadlock_names_who_waits_for_what) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    const Answers keys;
    Vault vault("vault", keys);
    ThreadGroup group("Readers");
    static_cast<void>(
        group.add_task(TaskName("reader"), [&] { static_cast<void>(vault.wait_for(keys.answer)); }));
    group.join();
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("deadlock"), std::string::npos) << report.str();
  EXPECT_NE(report.failure->waits.find("(task 'reader' of group 'Readers') waits for a key of a vault"),
            std::string::npos)
      << report.str();
}

TEST(Explore, cycles_come_first_in_the_picture) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    ThreadGroup a("Left");
    ThreadGroup b("Right");
    std::optional<TaskHandle<void>> of_b;
    auto of_a = a.add_task(TaskName("one"), [&] {
      while (!of_b) event_aware_sleep(1ms);
      static_cast<void>(of_b->wait(10h));
    });
    of_b = b.add_task(TaskName("two"), [&] { static_cast<void>(of_a.wait(10h)); });
    event_aware_sleep(1h);
    sim::fail("enough");
  });
  ASSERT_TRUE(report.failure);
  EXPECT_TRUE(report.failure->waits.starts_with("  cycle:\n")) << report.str();
}

TEST(Explore, picture_of_a_thousand_waiters_names_the_first_ones) {
  const sim::Report report = sim::explore({.schedules = 1}, [] {
    const Answers keys;
    Vault vault("vault", keys);
    ThreadGroup group("Readers", {.max_concurrent_threads = 1000});
    for (int i = 0; i < 1000; ++i) group.post([&] { static_cast<void>(vault.wait_for(keys.answer)); });
    event_aware_sleep(1h);
    sim::fail("enough");
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->waits.find("flows more"), std::string::npos) << report.str();
}

TEST(Explore, program_that_throws_fails) {
  const sim::Report report = sim::explore({}, [] { throw std::runtime_error("no money"); });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("no money"), std::string::npos);
  EXPECT_EQ(report.schedules, 1u);
}

TEST(Explore, program_that_depends_on_more_than_its_seed_is_named) {
  int runs = 0;
  const sim::Report report = sim::explore({}, [&] {
    ThreadGroup group("Jobs");
    const int tasks = ++runs;
    for (int i = 0; i < tasks; ++i) group.post([] { event_aware_sleep(1ms); });
    group.join();
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("not deterministic"), std::string::npos) << report.str();
}

TEST(Explore, same_seed_gives_the_same_schedules_and_another_seed_others) {
  const auto order_of = [](std::uint64_t seed) {
    std::string order;
    const sim::Report report = sim::explore({.schedules = 40, .seed = seed}, [&] {
      ThreadGroup group("Jobs");
      for (char name = 'a'; name < 'f'; ++name) {
        group.post([&order, name] {
          sim::yield();
          order += name;
        });
      }
      group.join();
      order += static_cast<char>('0' + sim::random() % 10);
    });
    EXPECT_FALSE(report.failure) << report.str();
    return order;
  };
  EXPECT_EQ(order_of(1), order_of(1));
  EXPECT_NE(order_of(1), order_of(2));
}

TEST(Explore, exhaustive_search_ends_when_all_schedules_were_run) {
  if (TG_THREAD_SANITIZER) GTEST_SKIP() << "20 s, and all flows are on one thread: no races to find";
  std::set<std::string> orders;
  const sim::Report report = sim::explore({.schedules = 100'000, .strategy = sim::Strategy::exhaustive}, [&] {
    std::string order;
    ThreadGroup group("Jobs", {.max_concurrent_threads = 2});
    for (const char name : {'a', 'b'}) {
      group.post([&order, name] {
        order += name;
        sim::yield();
        order += name;
      });
    }
    event_aware_sleep(1s);
    orders.insert(order);
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_TRUE(report.complete) << report.str();
  EXPECT_TRUE(orders.contains("aabb"));
  EXPECT_TRUE(orders.contains("abab") || orders.contains("abba"));
}

TEST(Explore, sleeps_that_end_at_the_same_time_end_in_any_order) {
  std::set<std::string> orders;
  const sim::Report report = sim::explore({.schedules = 300}, [&] {
    std::string order;
    ThreadGroup group("Jobs", {.max_concurrent_threads = 3});
    for (const char name : {'a', 'b', 'c'})
      group.post([&order, name] { event_aware_sleep(1ms), order += name; });
    event_aware_sleep(1s);
    orders.insert(order);
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_EQ(orders.size(), 6u);
}

TEST(Explore, refused_threads_do_not_lose_tasks) {
  const sim::Report report = sim::explore({.schedules = 200, .faults = {.refused_threads = 0.3}}, [] {
    ThreadGroup group("Jobs", {.max_concurrent_threads = 4});
    int done = 0;
    int refused = 0;
    for (int i = 0; i < 10; ++i) {
      try {
        group.post([&] { event_aware_sleep(1ms), ++done; });
      } catch (const std::system_error&) {
        ++refused;
      }
    }
    group.join();
    sim::check(done + refused == 10, "each task has run, or its adder knows");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(Explore, memory_that_runs_out_is_reported_to_the_adder) {
  int refused = 0;
  const sim::Report report = sim::explore({.schedules = 100}, [&] {
    ThreadGroup group("Jobs");
    sim::fail_allocation_after(sim::random() % 6);
    int added = 0;
    int done = 0;
    for (int i = 0; i < 5; ++i) {
      try {
        group.post([&] { ++done; });
        ++added;
      } catch (const std::bad_alloc&) {
        ++refused;
      }
    }
    group.join();
    sim::check(done == added, "what was added has run");
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_GT(refused, 0);
}

TEST(Explore, delayed_flow_lets_time_limits_pass) {
  int too_late = 0;
  const sim::Report report = sim::explore({.schedules = 100, .faults = {.delayed_flows = 0.2}}, [&] {
    ThreadGroup group("Jobs");
    group.post([] { event_aware_sleep(1s); });
    too_late += group.join(1min).timed_out ? 1 : 0;
    group.join();
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_GT(too_late, 0);
  EXPECT_LT(too_late, 104);
}

TEST(Explore, words_of_schedules_carry_their_faults) {
  const auto program = [] {
    ThreadGroup group("Jobs");
    group.post([] { event_aware_sleep(1s); });
    // No result is left on the stack, where AddressSanitizer would not find it.
    const bool is_in_time = !group.join(1min).timed_out;
    sim::check(is_in_time, "in time");
  };
  const sim::Report report = sim::explore({.faults = {.delayed_flows = 0.2}}, program);
  ASSERT_TRUE(report.failure);
  EXPECT_THROW(sim::replay(report.failure->schedule, program), std::runtime_error);
  EXPECT_THROW(sim::replay("pct-3", program), std::invalid_argument);
  EXPECT_THROW(sim::replay("walk-1+delay=x", program), std::invalid_argument);
}

TEST(Explore, options_out_of_range_are_refused) {
  const auto nothing = [] {};
  EXPECT_THROW(sim::explore({.schedules = 0}, nothing), std::invalid_argument);
  EXPECT_THROW(sim::explore({.depth = 0}, nothing), std::invalid_argument);
  EXPECT_THROW(sim::explore({.budget = Duration()}, nothing), std::invalid_argument);
  EXPECT_THROW(sim::explore({.faults = {.refused_threads = 2}}, nothing), std::invalid_argument);
  EXPECT_THROW(sim::explore({.stack_bytes = 1}, nothing), std::invalid_argument);
}

TEST(Explore, simulation_in_a_simulation_is_refused) {
  const sim::Report report = sim::explore({.schedules = 1}, [] { sim::explore({}, [] {}); });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("runs in a simulation already"), std::string::npos) << report.str();
}

TEST(Explore, schedule_longer_than_the_budget_fails) {
  const sim::Report report = sim::explore({.budget = 50ms}, [] {
    ThreadGroup group("Jobs");
    group.post([] {
      while (event_aware_sleep(1ms)) {
      }
    });
    group.join();
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("budget"), std::string::npos) << report.str();
}

TEST(Explore, several_threads_explore_at_the_same_time) {
  ThreadGroup real("Explorers", {.max_concurrent_threads = 3});
  for (int i = 0; i < 3; ++i) {
    real.post([] {
      const sim::Report report = sim::explore({.schedules = 200}, [] {
        ThreadGroup group("Jobs");
        for (int k = 0; k < 4; ++k) group.post([] { event_aware_sleep(1h); });
        group.join();
      });
      if (report.failure) throw std::runtime_error(report.str());
    });
  }
  real.join();
}

TEST(Explore, simulated_groups_are_not_seen_outside_nor_real_ones_inside) {
  ThreadGroup outside("Outside");
  const sim::Report report = sim::explore({.schedules = 3}, [] {
    ThreadGroup inside("Inside");
    const ForestSnapshot snapshot = ThreadEventsController::instance().snapshot();
    sim::check(snapshot.find("Inside") != nullptr, "the own group is seen");
    sim::check(snapshot.find("Outside") == nullptr, "the real one is not");
    ThreadEventsController::instance().set_all_events("all");
    sim::check(inside.event_is_set(), "the own group is stopped");
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_FALSE(outside.event_is_set());
  EXPECT_EQ(ThreadEventsController::instance().snapshot().find("Inside"), nullptr);
}

TEST(Explore, functions_for_programs_work_outside_a_simulation) {
  EXPECT_FALSE(sim::is_running());
  EXPECT_NE(sim::random(), sim::random());
  sim::yield();
  sim::say("nothing");
  EXPECT_THROW(sim::check(false, "broken"), std::runtime_error);
  EXPECT_THROW(sim::refuse_threads(1), std::logic_error);
}

TG_SIM_TEST(SimTest, runs_as_a_test_of_gtest, .schedules = 100) {
  EXPECT_TRUE(sim::is_running());
  ThreadGroup group("Jobs");
  EXPECT_EQ(group.add_task([] { return 42; }).get(), 42);
}

TG_SIM_TEST(SimTest, metrics_of_each_schedule_begin_at_zero, .schedules = 10) {
  const std::string succeeded = "threadgroup_tasks_total{group=\"MainThread/Jobs\",outcome=\"succeeded\"} ";
  EXPECT_EQ(metrics_text().find(succeeded), std::string::npos);
  {
    ThreadGroup group("Jobs");
    group.post([] {});
    group.join();
  }
  EXPECT_NE(metrics_text().find(succeeded + "1\n"), std::string::npos);
}

}  // namespace
}  // namespace explore_test
}  // namespace tg
