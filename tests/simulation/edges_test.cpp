// SPDX-License-Identifier: Apache-2.0
// Explorations whose options are extreme, and programs that leave something behind.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <latch>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"

namespace tg {
namespace edges_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

void four_tasks_sleep() {
  ThreadGroup group("Jobs");
  for (int i = 0; i < 4; ++i) group.post([] { event_aware_sleep(1h); });
  group.join();
}

TEST(SimEdges, short_schedules_do_not_fail_when_the_budget_is_spent) {
  // A schedule takes a millisecond, and some 100 where other programs want the processors; a sanitizer needs ten times
  // as long.
  constexpr bool kSlow = tg::detail::kSanitized;
  for (std::uint64_t seed = 0; seed < (kSlow ? 1 : 4); ++seed) {
    const sim::Report report = sim::explore(
        {.schedules = std::numeric_limits<std::size_t>::max(), .seed = seed, .budget = kSlow ? 3s : 400ms},
        [] {
          ThreadGroup group("Jobs");
          for (int i = 0; i < 20; ++i) {
            group.post([] {
              for (int k = 0; k < 10; ++k) event_aware_sleep(1ms);
            });
          }
          group.join();
        });
    EXPECT_FALSE(report.failure) << report.str();
  }
}

TEST(SimEdges, yielding_loops_leave_the_turn_to_every_other_flow) {
  const sim::Report report = sim::explore({.schedules = 20, .budget = 2s}, [] {
    bool open = false;
    ThreadGroup group("Jobs");
    for (int i = 0; i < 2; ++i) {
      group.post([&] {
        while (!open) sim::yield();
      });
    }
    group.post([&] { open = true; });
    group.join();
  });
  EXPECT_FALSE(report.failure) << report.str();
}

// Programs that a seed chooses: groups within tasks, and who adds, waits and sleeps.
class RandomProgram {
 public:
  explicit RandomProgram(std::uint64_t seed) : state_(seed) {}
  void run(int depth, int steps) {
    ThreadGroup group("Jobs", {.max_concurrent_threads = 1 + below(3)});
    while (steps-- > 0) step(group, depth);
    if (below(2) == 0) group.join();
  }

 private:
  std::size_t below(std::size_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state_ >> 33) % n;
  }
  void step(ThreadGroup& group, int depth) {
    switch (below(depth > 0 ? 9 : 7)) {
      case 0:
        return group.post([] {});
      case 1:
        return group.post([] { sim::yield(); });
      case 2:
        return group.post([] { event_aware_sleep(1ms); });
      case 3:
        return static_cast<void>(group.join());
      case 4:
        return group.add_task([] { sim::yield(); }).get();
      case 5:
        return sim::yield();
      case 6:
        return static_cast<void>(event_aware_sleep(1ms));
      case 7:
        return group.post([seed = state_, depth] { RandomProgram(seed).run(depth - 1, 4); });
      default:
        return RandomProgram(state_ + 1).run(depth - 1, 3);
    }
  }

  std::uint64_t state_;
};

TEST(SimEdges, schedules_do_not_depend_on_those_before) {
  constexpr std::uint64_t kSeeds = TG_THREAD_SANITIZER ? 50 : 200;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const sim::Report report =
        sim::explore({.schedules = 4, .seed = seed}, [seed] { RandomProgram(seed).run(2, 8); });
    EXPECT_FALSE(report.failure) << seed << report.str();
  }
}

TEST(SimEdges, words_of_schedules_carry_the_size_of_stacks) {
  const auto program = [] {
    ThreadGroup group("Jobs");
    group
        .add_task([] {
          volatile char room[600 * 1024];
          for (std::size_t i = 0; i < sizeof room; i += 1024) room[i] = 1;
          sim::fail("deep");
        })
        .get();
  };
  const sim::Report report = sim::explore({.stack_bytes = std::size_t{1} << 20}, program);
  ASSERT_TRUE(report.failure);
  EXPECT_THROW(sim::replay(report.failure->schedule, program), std::runtime_error);
  EXPECT_THROW(sim::replay("walk-1+stack=1", program), std::invalid_argument);
}

TEST(SimEdges, stacks_for_which_there_is_no_memory_are_refused) {
  for (const std::size_t bytes : {std::size_t{1} << 60, std::numeric_limits<std::size_t>::max()})
    EXPECT_THROW(sim::explore({.stack_bytes = bytes}, four_tasks_sleep), std::bad_alloc);
  EXPECT_FALSE(sim::is_running());
  EXPECT_FALSE(sim::explore({.schedules = 10}, four_tasks_sleep).failure);
}

TEST(SimEdges, group_that_is_left_with_an_endless_task_fails_at_once) {
  const auto begin = std::chrono::steady_clock::now();
  static auto& all = *new std::vector<ThreadGroup*>;  // so that LeakSanitizer finds them
  const sim::Report report = sim::explore({.budget = 10s}, [] {
    auto* const left = new ThreadGroup("Left");  // the mistake
    all.push_back(left);
    left->post([] {
      while (event_aware_sleep(1s)) {
      }
    });
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("'Left'"), std::string::npos) << report.str();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(SimEdges, depth_of_millions_is_refused) {
  EXPECT_THROW(sim::explore({.depth = std::numeric_limits<int>::max()}, four_tasks_sleep),
               std::invalid_argument);
  EXPECT_THROW(sim::replay("pct-4294967295-10-1", four_tasks_sleep), std::invalid_argument);
}

TEST(SimEdges, number_of_schedules_from_the_environment_is_checked) {
  for (const char* const text : {"", "0", "x", "-5", "12abc"}) {
    ASSERT_EQ(::setenv("TG_SIM_SCHEDULES", text, 1), 0);
    EXPECT_THROW(sim::run_test({.schedules = 1}, "Suite.name", [] {}), std::invalid_argument) << text;
  }
  ASSERT_EQ(::setenv("TG_SIM_SCHEDULES", "7", 1), 0);
  EXPECT_EQ(sim::run_test({.schedules = 1}, "Suite.name", [] {}).schedules, 7u);
  ::unsetenv("TG_SIM_SCHEDULES");
}

TEST(SimEdges, one_thread_takes_over_what_another_one_used) {
  std::thread([] { EXPECT_FALSE(sim::explore({.schedules = 10}, four_tasks_sleep).failure); }).join();
  EXPECT_FALSE(sim::explore({.schedules = 10}, four_tasks_sleep).failure);
}

TEST(SimEdges, failure_in_a_destructor_or_a_catch_block_ends_the_schedule) {
  struct Fails {
    ~Fails() { sim::fail("in a destructor"); }
  };
  const sim::Report unwinding = sim::explore({}, [] {
    try {
      const Fails fails;
      throw std::runtime_error("first");
    } catch (const std::runtime_error&) {
    }
  });
  EXPECT_EQ(unwinding.failure->what, "in a destructor");
  const sim::Report caught = sim::explore({}, [] {
    ThreadGroup group("Jobs");
    group.post([] {
      try {
        throw 1;
      } catch (int) {
        sim::fail("in a catch block");
      }
    });
    group.join();
  });
  EXPECT_EQ(caught.failure->what, "in a catch block");
  EXPECT_EQ(std::uncaught_exceptions(), 0);
  EXPECT_FALSE(std::current_exception());
}

TEST(SimEdges, threads_are_woken_if_a_program_stops_their_group) {
  ThreadGroup real("Real");
  std::latch asleep(1);
  auto task = real.add_task([&] {
    asleep.count_down();
    return event_aware_sleep(1h);
  });
  asleep.wait();
  static_cast<void>(sim::explore({.schedules = 1}, [&] { real.set_event("from a simulation"); }));
  EXPECT_FALSE(task.get());
}

TEST(SimEdges, failed_schedule_that_waited_for_a_task_from_outside_is_not_woken) {
  ThreadGroup real("Real");
  std::latch begun(1);
  std::latch may_end(1);
  auto task = real.add_task([&] {
    begun.count_down();
    may_end.wait();
  });
  begun.wait();
  const sim::Report report = sim::explore({}, [&] { task.get(); });
  may_end.count_down();
  real.join();
  EXPECT_TRUE(report.failure);
}

TEST(SimEdges, task_for_a_group_from_outside_fails_the_schedule) {
  ThreadGroup real("Real");
  const sim::Report report = sim::explore({.schedules = 1}, [&] { real.post([] {}); });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("makes its groups itself"), std::string::npos) << report.str();
}

TEST(SimEdges, group_that_outlives_its_schedule_is_named) {
  std::unique_ptr<ThreadGroup> kept;  // the mistake
  const sim::Report report = sim::explore({}, [&] {
    if (kept == nullptr) kept = std::make_unique<ThreadGroup>("Kept");
    kept->add_task([] {}).get();
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->what.find("'Kept'"), std::string::npos) << report.str();
}

TEST(SimEdgesDeathTest, task_from_a_foreign_thread_ends_the_process) {
  EXPECT_DEATH(static_cast<void>(sim::explore({.schedules = 1},
                                              [] {
                                                ThreadGroup group("Jobs");
                                                std::thread([&] { group.post([] {}); }).join();
                                              })),
               "starts no threads of its own");
}

TEST(SimEdges, tasks_note_how_far_they_are_while_another_one_dumps) {
  const sim::Report report = sim::explore({.schedules = 300}, [] {
    ThreadGroup group("Jobs");
    for (int i = 0; i < 2; ++i) {
      group.add_task(TaskName("pages"), [] {
        thread_utils::note("page 1");
        event_aware_sleep(1ms);
        thread_utils::note("page 2");
      });
    }
    group.add_task(TaskName("dumps"), [] {
      const std::string text = dump();
      sim::check(text.find("- 'dumps' (for") != std::string::npos, text);
      sim::check(text.find("; page 3") == std::string::npos, text);
    });
    group.join();
    sim::check(dump().find("; page ") == std::string::npos, "an ended task has no note");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

}  // namespace
}  // namespace edges_test
}  // namespace tg
