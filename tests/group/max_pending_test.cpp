// SPDX-License-Identifier: Apache-2.0
// Groups that are full: adds that wait, and adds that do not.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/faults.hpp"

#include "support/eventually.hpp"
#include "support/no_thread_left.hpp"

namespace tg {
namespace max_pending_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

// A group whose only slot is taken until `go`, with no room left.
class FullGroup : public testing::Test {
 protected:
  void SetUp() override {
    std::latch running(1);
    group.post([&] {
      running.count_down();
      go.wait();
    });
    running.wait();
    first_pending = group.add_task([] { return 1; });
  }
  void TearDown() override {
    if (!go.try_wait()) go.count_down();
  }
  void wait_until_one_waits() {
    eventually([&] { return group.statistics().waiting_adders == 1; });
  }

  std::latch go{1};
  TaskHandle<int> first_pending;
  ThreadGroup group{"full", {.max_concurrent_threads = 1, .max_pending = 1}};
};

TEST(MaxPending, zero_is_refused) {
  try {
    const ThreadGroup group("none", {.max_pending = 0});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("max_pending is 0"), std::string::npos) << e.what();
  }
}

TEST(MaxPending, group_without_it_is_never_full) {
  std::latch go(1);
  ThreadGroup group("free", {.max_concurrent_threads = 1});
  group.post([&] { go.wait(); });
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(group.try_add_task([] {}));
  go.count_down();
  EXPECT_EQ(group.join().counts.succeeded, 1001u);
}

TEST_F(FullGroup, try_add_task_adds_nothing_and_keeps_the_arguments) {
  auto argument = std::make_unique<int>(7);
  EXPECT_FALSE(group.try_add_task([](std::unique_ptr<int>) {}, std::move(argument)));
  EXPECT_FALSE(group.try_add_task(
      TaskName("named"), [](std::unique_ptr<int>) {}, std::move(argument)));
  ASSERT_NE(argument, nullptr);
  EXPECT_EQ(group.statistics().total(), 2u);
  go.count_down();
  first_pending.get();
  const auto added = group.try_add_task(
      TaskName("named"), [](std::unique_ptr<int> i) { return *i; }, std::move(argument));
  ASSERT_TRUE(added);
  EXPECT_EQ(added->name(), "named");
  EXPECT_EQ(added->get(), 7);
}

TEST_F(FullGroup, has_room_again_once_a_task_runs) {
  std::latch running(1);
  std::latch go_on(1);
  std::thread adder([&] {
    group.post([&] {
      running.count_down();
      go_on.wait();
    });
  });
  wait_until_one_waits();
  EXPECT_EQ(group.statistics().pending, 1u);
  go.count_down();
  running.wait();
  EXPECT_TRUE(group.try_add_task([] {}));
  EXPECT_FALSE(group.try_add_task([] {}));
  go_on.count_down();
  adder.join();
  EXPECT_EQ(group.join().counts.succeeded, 4u);
}

TEST_F(FullGroup, has_room_again_once_a_task_is_cleared) {
  std::thread adder([&] { group.post([] {}); });
  wait_until_one_waits();
  EXPECT_TRUE(group.clear_pending(first_pending));
  adder.join();
  EXPECT_EQ(group.statistics().pending, 1u);
  EXPECT_EQ(group.clear_pending(), 1u);
  EXPECT_TRUE(group.try_add_task([] {}));
  go.count_down();
  EXPECT_EQ(group.join().counts.skipped, 2u);
}

TEST_F(FullGroup, add_task_returns_a_skipped_handle_when_the_group_is_stopped) {
  TaskHandle<int> added;
  std::thread adder([&] { added = group.add_task([] { return 1; }); });
  wait_until_one_waits();
  group.set_event("enough");
  adder.join();
  EXPECT_EQ(added.status(), TaskStatus::skipped);
  EXPECT_EQ(added.reason()->message, "enough");
  EXPECT_EQ(group.try_add_task([] {})->status(), TaskStatus::skipped);
  go.count_down();
  EXPECT_EQ(group.join().counts.skipped, 3u);
}

TEST_F(FullGroup, a_stopped_caller_does_not_wait) {
  ThreadGroup callers("callers");
  TaskHandle<int> added;
  bool posted_one_is_gone = false;
  callers.post([&] {
    added = group.add_task([] { return 1; });
    auto token = std::make_shared<int>(1);
    const std::weak_ptr<int> seen = token;
    group.post([kept = std::move(token)] {});
    posted_one_is_gone = seen.expired();
  });
  wait_until_one_waits();
  callers.set_event("callers stop");
  EXPECT_TRUE(callers.join());
  EXPECT_EQ(added.status(), TaskStatus::skipped);
  EXPECT_EQ(added.reason()->message, "callers stop");
  EXPECT_TRUE(posted_one_is_gone) << "it was dropped at once";
  EXPECT_EQ(group.statistics().skipped, 2u);
  EXPECT_EQ(group.statistics().waiting_adders, 0u);
  EXPECT_FALSE(group.event_is_set());
  go.count_down();
  EXPECT_EQ(group.join().counts.succeeded, 2u);
}

TEST_F(FullGroup, adders_are_served_in_order) {
  std::vector<int> order;
  std::vector<std::thread> adders;
  for (int i = 0; i < 4; ++i) {
    adders.emplace_back([&, i] { group.post([&order, i] { order.push_back(i); }); });
    eventually([&] { return group.statistics().waiting_adders == static_cast<std::size_t>(i + 1); });
  }
  go.count_down();
  for (std::thread& adder : adders) adder.join();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(MaxPending, is_never_exceeded_from_outside) {
  constexpr std::size_t kMost = 3;
  ThreadGroup group("bounded", {.max_concurrent_threads = 2, .max_pending = kMost});
  std::atomic<bool> over{false};
  std::atomic<int> ran{0};
  std::vector<std::thread> adders;
  for (int i = 0; i < 3; ++i) {
    adders.emplace_back([&] {
      for (int k = 0; k < 2000; ++k) {
        group.post([&] { ++ran; });
        if (group.statistics().pending > kMost) over = true;
      }
    });
  }
  for (std::thread& adder : adders) adder.join();
  EXPECT_TRUE(group.join());
  EXPECT_FALSE(over);
  EXPECT_EQ(ran, 6000);
}

TEST(MaxPending, a_task_that_adds_to_its_own_full_group_goes_on) {
  for (const std::size_t bound : {1u, 2u}) {
    ThreadGroup group("own", {.max_concurrent_threads = bound, .max_pending = 1});
    std::atomic<int> ran{0};
    group.post([&] {
      for (int i = 0; i < 100; ++i) group.post([&] { ++ran; });
    });
    EXPECT_EQ(group.join().counts.succeeded, 101u);
    EXPECT_EQ(ran, 100);
  }
}

// All tasks add at the same time, and what they add adds as well.
TEST(MaxPending, tasks_that_all_add_to_their_own_full_group_go_on) {
  ThreadGroup group("tree", {.max_concurrent_threads = 2, .max_pending = 2});
  std::atomic<int> ran{0};
  std::function<void(int)> grow = [&](int depth) {
    ++ran;
    if (depth == 0) return;
    for (int i = 0; i < 3; ++i) group.post([&grow, depth] { grow(depth - 1); });
  };
  group.post([&] { grow(5); });
  EXPECT_TRUE(group.join().all_succeeded());
  EXPECT_EQ(ran, 1 + 3 + 9 + 27 + 81 + 243);
}

TEST(MaxPending, a_task_of_a_group_below_is_not_kept_waiting) {
  ThreadGroup group("above", {.max_concurrent_threads = 1, .max_pending = 1});
  std::atomic<int> ran{0};
  group.post([&] {
    ThreadGroup below("below");
    below.post([&] {
      for (int i = 0; i < 10; ++i) group.post([&] { ++ran; });
    });
    EXPECT_TRUE(below.join());
    EXPECT_EQ(group.statistics().pending, 10u);
  });
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, 10);
}

TEST(MaxPending, a_wait_for_room_that_would_close_a_cycle_goes_beyond_the_limit) {
  ThreadGroup other("other");
  std::latch joins(1);
  ThreadGroup full("joins", {.max_concurrent_threads = 1, .max_pending = 1});
  other.post([&] {
    joins.wait();
    // The task that joins this group is in its wait as soon as the graph has it.
    eventually([&] { return full.statistics().running == 1; });
    for (int i = 0; i < 3; ++i) full.post([] {});
  });
  full.post([&] {
    joins.count_down();
    try {
      static_cast<void>(other.wait_idle());
    } catch (const std::system_error&) {  // the add waited first: then this wait closes the cycle
    }
  });
  EXPECT_TRUE(full.join());
  EXPECT_TRUE(other.join());
  EXPECT_EQ(full.statistics().succeeded, 4u);
}

TEST(MaxPending, group_may_be_destroyed_by_another_thread_while_a_task_of_its_own_adds) {
  auto brief =
      std::make_unique<ThreadGroup>("brief", GroupOptions{.max_concurrent_threads = 2, .max_pending = 1});
  ThreadGroup& its = *brief;
  std::latch all_run(2);
  std::latch end(1);
  for (int i = 0; i < 2; ++i) {
    its.post([&] {
      all_run.count_down();
      end.wait();
      for (int k = 0; k < 5; ++k) its.post([] {});
    });
  }
  all_run.wait();
  end.count_down();
  brief.reset();
}

class MaxPendingWithoutThreads : public test::NoThreadLeft {};

TEST_F(MaxPendingWithoutThreads, a_task_of_the_group_goes_on_when_the_system_has_no_thread) {
  std::latch may_add(1);
  std::atomic<int> ran{0};
  ThreadGroup group("short", {.max_concurrent_threads = 2, .max_pending = 1});
  std::latch running(1);
  group.post([&] {
    running.count_down();
    may_add.wait();
    for (int i = 0; i < 5; ++i) group.post([&] { ++ran; });
  });
  running.wait();
  runtime::faults::refuse_threads(1'000'000);
  may_add.count_down();
  EXPECT_TRUE(group.join(60s));
  EXPECT_EQ(ran, 5);
  go.count_down();
}

}  // namespace
}  // namespace max_pending_test
}  // namespace tg
