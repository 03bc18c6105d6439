// SPDX-License-Identifier: Apache-2.0
// What tasks add to their own group: its order, its counts, and that no wait for it hangs.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"

namespace tg {
namespace local_queue_test {
namespace {

using test::eventually;

std::vector<int> count_up(int to) {
  std::vector<int> numbers(static_cast<std::size_t>(to));
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

TEST(LocalQueue, tasks_that_a_task_adds_start_in_their_order) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::vector<int> order;  // one slot: no two of them write at the same time
  group.post([&] {
    for (int i = 1; i <= 1000; ++i) group.post([&order, i] { order.push_back(i); });
  });
  static_cast<void>(group.join());
  EXPECT_EQ(order, count_up(1000));
}

TEST(LocalQueue, what_a_blocked_task_added_runs_elsewhere_in_its_order) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  std::vector<int> order;  // one slot is left for all of them
  group.post([&] {
    std::latch all(100);
    for (int i = 1; i <= 100; ++i) {
      group.post([&, i] {
        order.push_back(i);
        all.count_down();
      });
    }
    all.wait();
  });
  static_cast<void>(group.join());
  EXPECT_EQ(order, count_up(100));
}

TEST(LocalQueue, later_ones_wait_for_earlier_ones_that_another_worker_took) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::vector<int> order;
  group.post([&] {
    TaskHandle<void> awaited;
    for (int i = 1; i <= 50; ++i) {
      auto handle = group.add_task([&order, i] { order.push_back(i); });
      if (i == 25) awaited = handle;
    }
    // With a time-out it lends the slot: another worker takes them all, and leaves somewhere behind the
    // 25th.
    EXPECT_EQ(awaited.wait(std::chrono::hours(1)), WaitOutcome::ready);
    for (int i = 51; i <= 60; ++i) group.post([&order, i] { order.push_back(i); });
  });
  static_cast<void>(group.join());
  EXPECT_EQ(order, count_up(60));
}

TEST(LocalQueue, a_worker_is_called_for_what_a_task_adds_before_it_blocks) {
  // The call is not lost, whether the other worker is not there, on its way out, or looking around.
  for (int round = 0; round < 500; ++round) {
    ThreadGroup group("two slots", {.max_concurrent_threads = 2});
    group.post([&] {
      for (int i = 0; i < 3; ++i) {
        std::latch ran(1);
        group.post([&ran] { ran.count_down(); });
        ran.wait();
      }
    });
    ASSERT_TRUE(group.join());
  }
}

TEST(LocalQueue, tasks_that_always_add_another_one_do_not_keep_the_others_waiting) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::atomic<bool> served{false};
  std::latch begun(1);
  std::function<void()> again = [&] {
    if (!served) group.post(again);
  };
  group.post([&] {
    again();
    begun.count_down();
  });
  begun.wait();
  group.post([&served] { served = true; });
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(served);
}

TEST(LocalQueue, more_workers_than_local_queues_lose_nothing) {
  ThreadGroup group("many slots", {.max_concurrent_threads = 40});
  std::atomic<int> ran{0};
  std::latch all_there(40);
  for (int i = 0; i < 40; ++i) {
    group.post([&] {
      all_there.arrive_and_wait();
      for (int k = 0; k < 100; ++k) group.post([&ran] { ++ran; });
    });
  }
  static_cast<void>(group.join());
  EXPECT_EQ(ran, 4000);
  EXPECT_EQ(group.statistics().succeeded, 4040u);
}

TEST(LocalQueue, numbers_are_given_once) {
  ThreadGroup group("numbers", {.max_concurrent_threads = 4});
  std::vector<std::vector<std::string>> names(4);
  std::latch all_there(4);
  for (auto& mine : names) {
    group.post([&] {
      all_there.arrive_and_wait();
      for (int i = 0; i < 300; ++i) mine.push_back(group.add_task([] {}).name());
    });
  }
  static_cast<void>(group.join());
  std::set<std::string> different;
  for (const auto& mine : names) different.insert(mine.begin(), mine.end());
  EXPECT_EQ(different.size(), 1200u);
}

TEST(LocalQueue, the_first_tasks_are_numbered_without_gaps) {
  ThreadGroup group("numbers", {.max_concurrent_threads = 1});
  group.add_task([&] { EXPECT_EQ(group.add_task([] {}).name(), "task 2"); }).get();
  static_cast<void>(group.join());
  EXPECT_EQ(group.add_task([] {}).name(), "task 3");
}

TEST(LocalQueue, counts_are_exact_at_each_moment) {
  ThreadGroup group("counts", {.max_concurrent_threads = 3});
  std::atomic<std::uint64_t> added{0};  // raised after each add: never more than were added
  std::atomic<bool> stop{false};
  const auto add = [&](auto&& task) {
    group.post(task);
    ++added;
  };
  std::thread watcher([&] {
    std::uint64_t done = 0;
    while (!stop) {
      const std::uint64_t before = added;
      const GroupStatistics now = group.statistics();
      EXPECT_GE(now.total(), before);
      EXPECT_GE(now.done(), done);
      EXPECT_LE(now.running, 3u);
      EXPECT_LE(now.pending, 10'000u);  // a difference that went below zero would be huge
      done = now.done();
    }
  });
  for (int i = 0; i < 300; ++i) {
    add([&] {
      for (int k = 0; k < 20; ++k) add([] {});
    });
  }
  static_cast<void>(group.join());
  stop = true;
  watcher.join();
  EXPECT_EQ(group.statistics().succeeded, 300u * 21u);
  EXPECT_EQ(group.statistics().total(), added);
}

TEST(LocalQueue, an_event_skips_what_is_in_it) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::vector<TaskHandle<void>> inner;
  group
      .add_task([&] {
        for (int i = 0; i < 10; ++i) inner.push_back(group.add_task([] {}));
        group.set_event_for_child_tasks("enough");
        inner.push_back(group.add_task([] {}));
      })
      .get();
  static_cast<void>(group.join());
  for (const auto& handle : inner) EXPECT_EQ(handle.status(), TaskStatus::skipped);
  EXPECT_EQ(group.statistics().skipped, 11u);
}

TEST(LocalQueue, clear_pending_finds_what_is_in_it) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::size_t cleared = 0;
  group.post([&] {
    for (int i = 0; i < 10; ++i) group.post([] {});
    cleared = group.clear_pending();
  });
  static_cast<void>(group.join());
  EXPECT_EQ(cleared, 10u);
  EXPECT_EQ(group.statistics().skipped, 10u);
}

TEST(LocalQueue, failures_in_it_reach_the_join) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  group.post([&] {
    for (int i = 0; i < 5; ++i) {
      group.add_task(TaskName{"fails " + std::to_string(i)}, [] { throw std::runtime_error("no"); });
      group.post([] {});
    }
  });
  try {
    static_cast<void>(group.join());
    ADD_FAILURE() << "five tasks failed";
  } catch (const TaskFailures& e) {
    ASSERT_EQ(e.failures().size(), 5u);
    EXPECT_EQ(e.failures()[3].task, "fails 3");
  }
  EXPECT_EQ(group.statistics().succeeded, 6u);
}

TEST(LocalQueue, running_tasks_from_it_are_named) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::latch running(1);
  std::latch go(1);
  group.post([&] {
    group.add_task(TaskName{"inner"}, [&] {
      running.count_down();
      go.wait();
    });
  });
  running.wait();
  const JoinResult result = group.join(Duration());
  ASSERT_EQ(result.running.size(), 1u);
  EXPECT_EQ(result.running[0].name, "inner");
  EXPECT_EQ(result.pending, 0u);
  go.count_down();
  EXPECT_TRUE(group.join());
}

TEST(LocalQueue, a_destructor_of_a_task_in_it_may_add_tasks) {
  struct AddsInTheEnd {
    ThreadGroup* group;
    std::atomic<int>* ran;
    AddsInTheEnd(ThreadGroup* g, std::atomic<int>* r) : group(g), ran(r) {}
    AddsInTheEnd(AddsInTheEnd&& other) noexcept
        : group(std::exchange(other.group, nullptr)), ran(other.ran) {}
    ~AddsInTheEnd() {
      if (group != nullptr) group->post([r = ran] { ++*r; });
    }
  };
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  std::atomic<int> ran{0};
  group.post([&] {
    for (int i = 0; i < 100; ++i) group.post([adds = AddsInTheEnd(&group, &ran)] {});
  });
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, 100);
}

TEST(LocalQueue, a_condition_sees_each_task_end) {
  ThreadGroup group("conditions", {.max_concurrent_threads = 2});
  std::atomic<int> ended{0};
  group.post([&] {
    for (int i = 0; i < 200; ++i) group.post([&ended] { ++ended; });
  });
  EXPECT_EQ(group.wait_for_condition([&] { return ended == 200; }, std::chrono::hours(1),
                                     {.interval = std::chrono::hours(1)}),
            WaitStatus::condition_met);
}

TEST(LocalQueue, what_a_blocked_task_added_does_not_starve_behind_tasks_that_always_add) {
  ThreadGroup group("two slots", {.max_concurrent_threads = 2});
  std::latch ran(1);
  std::atomic<bool> stop{false};
  std::function<void()> again = [&] {
    if (!stop) group.post(again);
  };
  group.post(again);
  group.post([&] {
    group.post([&] {
      ran.count_down();
      stop = true;
    });
    ran.wait();
  });
  EXPECT_TRUE(group.join());
}

TEST(LocalQueue, a_turn_of_long_tasks_ends_for_those_that_others_add) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::atomic<int> renewals{0};
  std::atomic<int> renewals_at_start{-1};
  std::function<void()> again = [&] {
    const TimePoint begun = runtime::coarse_now();
    eventually([&] { return runtime::coarse_now() != begun; });
    ++renewals;
    if (renewals_at_start < 0) group.post(again);
  };
  group.post(again);
  eventually([&] { return renewals > 2; });
  group.post([&] { renewals_at_start = renewals.load(); });
  const int renewals_when_added = renewals;
  EXPECT_TRUE(group.join());
  EXPECT_LE(renewals_at_start - renewals_when_added, 3);
}

TEST(LocalQueue, failures_that_were_taken_do_not_pile_up) {
  static std::atomic<int> alive{0};
  struct Counted : std::runtime_error {
    Counted() : std::runtime_error("counted") { ++alive; }
    Counted(const Counted& other) : std::runtime_error(other) { ++alive; }
    Counted& operator=(const Counted&) = delete;
    ~Counted() override { --alive; }
  };
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  int most = 0;
  int left = 1000;
  std::function<void()> again = [&] {
    EXPECT_THROW(group.add_task([] { throw Counted(); }).get(), Counted);
    most = std::max(most, alive.load());
    if (--left > 0) group.post(again);
  };
  group.post(again);
  EXPECT_TRUE(group.join());
  EXPECT_LE(most, 2 * 64);  // what one turn may leave
}

TEST(LocalQueue, a_place_that_is_wanted_back_does_not_wait_for_what_the_other_task_added) {
  // The waiting task must have given up before the other one ends. If the machine was too busy for that,
  // again.
  bool resumed_first = false;
  for (int attempt = 0; attempt < 20 && !resumed_first; ++attempt) {
    ThreadGroup group("one slot", {.max_concurrent_threads = 1});
    std::atomic<bool> resumed{false};
    group.post([&] {
      const auto other = group.add_task([&] {
        group.post([&] { resumed_first = resumed; });
        const TimePoint long_after = runtime::after(std::chrono::milliseconds(100));
        eventually([&] { return runtime::now() >= long_after; });
      });
      EXPECT_EQ(other.wait(std::chrono::milliseconds(1)), WaitOutcome::timed_out);
      resumed = true;
    });
    static_cast<void>(group.join());
  }
  EXPECT_TRUE(resumed_first);
}

TEST(LocalQueue, what_a_thread_added_in_an_earlier_life_as_a_worker_starts_first) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  std::vector<std::string> order;  // one slot: no two of them write at the same time
  std::map<std::string, std::thread::id> added_by;
  const auto add = [&](const std::string& name, std::function<void()> task) {
    added_by[name] = std::this_thread::get_id();
    return group.add_task([&order, name, task] {
      order.push_back(name);
      if (task) task();
    });
  };
  group.post([&] {
    const auto first = add("first", [&] {
      add("early", {});
      add("late", {});
    });
    add("between", {});
    const auto third = add("third", [&] { add("last", {}); });
    // With a time limit another worker runs it, and then leaves.
    EXPECT_EQ(first.wait(std::chrono::hours(1)), WaitOutcome::ready);
    EXPECT_EQ(third.wait(std::chrono::hours(1)), WaitOutcome::ready);
  });
  EXPECT_TRUE(group.join());
  const auto place = [&](const char* name) { return std::find(order.begin(), order.end(), name); };
  EXPECT_LT(place("early"), place("late"));
  if (added_by["late"] == added_by["last"]) {
    EXPECT_LT(place("late"), place("last"));
  }
  EXPECT_EQ(order.size(), 6u);
}

}  // namespace
}  // namespace local_queue_test
}  // namespace tg
