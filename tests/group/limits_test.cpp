// SPDX-License-Identifier: Apache-2.0
// Groups and limits: names, bounds, threads that are shared, and tasks that wait for their own group.
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>

#include "runtime/threads.hpp"
#include "support/eventually.hpp"

namespace tg {
namespace limits_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

TEST(Group, empty_name_gets_a_generated_one) {
  const ThreadGroup a;
  const ThreadGroup b;
  EXPECT_FALSE(a.name().empty());
  EXPECT_NE(a.name(), b.name());
  EXPECT_NE(a.id(), b.id());
  EXPECT_EQ(ThreadGroup("given").name(), "given");
}

TEST(Group, is_neither_copied_nor_moved) {
  static_assert(!std::is_copy_constructible_v<ThreadGroup> && !std::is_move_constructible_v<ThreadGroup>);
  static_assert(!std::is_copy_assignable_v<ThreadGroup> && !std::is_move_assignable_v<ThreadGroup>);
  SUCCEED();
}

TEST(Group, max_concurrent_threads_defaults_to_32) {
  EXPECT_EQ(GroupOptions{}.max_concurrent_threads, 32u);
  std::latch all_there(32);
  std::latch go(1);
  ThreadGroup group;
  for (int i = 0; i < 40; ++i) {
    group.post([&, i] {
      if (i < 32) all_there.count_down();
      go.wait();
    });
  }
  all_there.wait();
  EXPECT_EQ(group.statistics().running, 32u);
  EXPECT_EQ(group.statistics().pending, 8u);
  EXPECT_EQ(group.statistics().threads, 32u);
  go.count_down();
  EXPECT_TRUE(group.join());
}

TEST(Group, bound_of_zero_is_invalid_argument_that_says_so) {
  try {
    const ThreadGroup group("none", {.max_concurrent_threads = 0});
    FAIL() << "no error";
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("max_concurrent_threads is 0"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("none"), std::string::npos);
  }
  EXPECT_EQ(ThreadEventsController::instance().snapshot().find("none"), nullptr);
}

TEST(Group, threads_start_only_when_work_arrives) {
  std::latch go(1);
  ThreadGroup group;
  EXPECT_EQ(group.statistics().threads, 0u);
  const auto task = group.add_task([&] { go.wait(); });
  eventually([&] { return task.status() == TaskStatus::running; });
  EXPECT_EQ(group.statistics().threads, 1u);
  go.count_down();
}

TEST(Group, bound_is_never_exceeded) {
  std::atomic<int> inside{0};
  std::atomic<bool> exceeded{false};
  ThreadGroup group("g", {.max_concurrent_threads = 3});
  for (int i = 0; i < 300; ++i) {
    group.post([&] {
      if (++inside > 3) exceeded = true;
      std::this_thread::yield();
      --inside;
    });
  }
  EXPECT_TRUE(group.join());
  EXPECT_FALSE(exceeded);
}

TEST(Group, tasks_start_in_the_order_in_which_one_thread_added_them) {
  std::vector<int> order;
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  for (int i = 0; i < 100; ++i) {
    if (i % 2 == 0) {
      group.post([&order, i] { order.push_back(i); });
    } else {
      group.add_task([&order, i] { order.push_back(i); });
    }
  }
  EXPECT_TRUE(group.join());
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Group, small_groups_share_the_threads_of_the_cache) {
  auto& cache = runtime::ThreadCache::instance();
  const auto use_a_group = [&] {
    {
      ThreadGroup group;
      EXPECT_EQ(group.add_task([] { return 1; }).get(), 1);
    }
    eventually([&] { return cache.statistics().idle == cache.statistics().threads; });
  };
  use_a_group();
  const auto created = cache.statistics().created;
  for (int i = 0; i < 100; ++i) use_a_group();
  EXPECT_EQ(cache.statistics().created, created);
}

TEST(Group, unused_group_costs_no_thread) {
  const auto created = runtime::ThreadCache::instance().statistics().created;
  for (int i = 0; i < 100; ++i) {
    ThreadGroup group;
    EXPECT_TRUE(group.join());
  }
  EXPECT_EQ(runtime::ThreadCache::instance().statistics().created, created);
}

TEST(Group, bound_of_1_whose_task_waits_for_another_of_its_tasks_finishes) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  TaskHandle<int> second;
  std::latch both_added(1);
  const auto first = group.add_task([&] {
    both_added.wait();
    return second.get() + 1;
  });
  second = group.add_task([] { return 1; });
  both_added.count_down();
  EXPECT_EQ(first.get(), 2);
  EXPECT_TRUE(group.join());
}

TEST(Group, bound_counts_tasks_that_can_run) {
  // Ten tasks wait for one task each; with two slots two of the waited-for run at a time, never three.
  std::atomic<int> inside{0};
  std::atomic<bool> exceeded{false};
  ThreadGroup group("g", {.max_concurrent_threads = 2});
  for (int i = 0; i < 10; ++i) {
    group.post([&] {
      group
          .add_task([&] {
            if (++inside > 2) exceeded = true;
            std::this_thread::yield();
            --inside;
          })
          .get();
    });
  }
  EXPECT_TRUE(group.join());
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(group.statistics().succeeded, 20u);
}

std::string os_name() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

TEST(Group, threads_carry_fifteen_characters_of_the_groups_name) {
  ThreadGroup group("Verifying Users of the whole house");
  const auto name_in = [](ThreadGroup& of) {
    const auto name = of.add_task(os_name);
    EXPECT_EQ(name.wait(60s), WaitOutcome::ready);  // without a limit, the task may run in this thread
    return name.get();
  };
  EXPECT_EQ(name_in(group), "Verifying Users");
  ThreadGroup other("short");
  EXPECT_EQ(name_in(other), "short");
}

TEST(Group, many_queued_tasks_add_and_drain) {
  std::atomic<int> ran{0};
  ThreadGroup group("g", {.max_concurrent_threads = 2});
  for (int i = 0; i < 100'000; ++i) group.post([&] { ++ran; });
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, 100'000);
}

TEST(Group, joined_group_can_be_used_again) {
  ThreadGroup group;
  for (int round = 1; round <= 3; ++round) {
    group.post([] {});
    EXPECT_TRUE(group.join());
    EXPECT_EQ(group.statistics().succeeded, static_cast<std::uint64_t>(round));
  }
}

// Groups with endless work keep their workers, and every other group gets threads of its own.
TEST(Groups, with_endless_work_starve_no_other) {
  std::atomic<bool> enough{false};
  std::deque<ThreadGroup> endless;
  std::function<void(ThreadGroup&)> work = [&](ThreadGroup& group) {
    if (!enough) group.post([&] { work(group); });
  };
  for (int i = 0; i < 8; ++i) {
    ThreadGroup& group = endless.emplace_back("endless", GroupOptions{.max_concurrent_threads = 2});
    for (int tasks = 0; tasks < 4; ++tasks) group.post([&] { work(group); });
  }
  std::deque<ThreadGroup> others;
  std::atomic<int> begun{0};
  for (int i = 0; i < 200; ++i) others.emplace_back("other").post([&] { ++begun; });
  eventually([&] { return begun == 200; });
  enough = true;
  for (ThreadGroup& group : others) EXPECT_TRUE(group.join());
  for (ThreadGroup& group : endless) EXPECT_TRUE(group.join());
}

}  // namespace
}  // namespace limits_test
}  // namespace tg
