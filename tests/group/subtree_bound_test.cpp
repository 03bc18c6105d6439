// SPDX-License-Identifier: Apache-2.0
// A bound for a group and all groups below it.
#include <gtest/gtest.h>

#include <array>
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

#include <threadgroup/as_completed.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/faults.hpp"
#include "tree/subtree_bound.hpp"
#include "tree/task_context.hpp"

#include "support/eventually.hpp"
#include "support/no_thread_left.hpp"

namespace tg {
namespace subtree_bound_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

// Counts the tasks that run at one time, and the most that ever did.
class Running {
 public:
  void enter() {
    const int now = ++running_;
    int seen = most_;
    while (now > seen && !most_.compare_exchange_weak(seen, now)) {
    }
  }
  void leave() { --running_; }
  void pass() {
    enter();
    std::this_thread::yield();
    leave();
  }
  int most() const { return most_; }

 private:
  std::atomic<int> running_{0};
  std::atomic<int> most_{0};
};

TEST(SubtreeBound, zero_is_refused) {
  try {
    const ThreadGroup group("none", {.max_concurrent_in_subtree = 0});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("max_concurrent_in_subtree is 0"), std::string::npos) << e.what();
  }
}

TEST(SubtreeBound, holds_for_the_groups_own_tasks) {
  Running running;
  ThreadGroup group("one", {.max_concurrent_threads = 8, .max_concurrent_in_subtree = 2});
  for (int i = 0; i < 200; ++i) group.post([&] { running.pass(); });
  EXPECT_TRUE(group.join().all_succeeded());
  EXPECT_LE(running.most(), 2);
}

TEST(SubtreeBound, is_used_to_the_full) {
  std::latch all_run(3);
  ThreadGroup group("three", {.max_concurrent_in_subtree = 3});
  for (int i = 0; i < 3; ++i) group.post([&] { all_run.arrive_and_wait(); });
  EXPECT_TRUE(group.join(60s));
}

// Twenty at a time, one per customer.
TEST(SubtreeBound, holds_for_all_groups_below) {
  constexpr int kMost = 4;
  constexpr int kCustomers = 30;
  constexpr int kOrders = 20;
  Running all;
  std::array<Running, kCustomers> each;
  ThreadGroup shop("shop", {.max_concurrent_threads = kCustomers, .max_concurrent_in_subtree = kMost});
  for (Running& customer : each) {
    shop.post([&] {
      ThreadGroup orders("orders", {.max_concurrent_threads = 1});
      for (int i = 0; i < kOrders; ++i) {
        orders.post([&] {
          all.enter();
          customer.pass();
          all.leave();
        });
      }
      EXPECT_TRUE(orders.join().all_succeeded());
    });
  }
  EXPECT_TRUE(shop.join().all_succeeded());
  EXPECT_LE(all.most(), kMost);
  for (const Running& customer : each) EXPECT_EQ(customer.most(), 1);
}

TEST(SubtreeBound, nested_bounds_hold_together) {
  Running outer;
  std::array<Running, 3> inner;
  ThreadGroup top("top", {.max_concurrent_in_subtree = 3});
  for (Running& own : inner) {
    top.post([&] {
      ThreadGroup middle("middle", {.max_concurrent_in_subtree = 2});
      for (int g = 0; g < 2; ++g) {
        middle.post([&] {
          ThreadGroup bottom("bottom");
          for (int i = 0; i < 50; ++i) {
            bottom.post([&] {
              outer.enter();
              own.pass();
              outer.leave();
            });
          }
          bottom.join();
        });
      }
      middle.join();
    });
  }
  EXPECT_TRUE(top.join().all_succeeded());
  EXPECT_LE(outer.most(), 3);
  for (const Running& own : inner) EXPECT_LE(own.most(), 2);
}

// With one permit for all: each wait lends it.
TEST(SubtreeBound, a_task_that_joins_a_group_below_lends_its_permit) {
  for (const bool has_time_limit : {false, true}) {  // with one it does not run the tasks itself
    ThreadGroup group("one", {.max_concurrent_in_subtree = 1});
    std::atomic<int> ran{0};
    group.post([&] {
      ThreadGroup below("below");
      for (int i = 0; i < 10; ++i) below.post([&] { ++ran; });
      EXPECT_TRUE(has_time_limit ? below.join(60s) : below.join());
    });
    EXPECT_TRUE(group.join(60s));
    EXPECT_EQ(ran, 10);
  }
}

TEST(SubtreeBound, a_task_that_waits_for_a_task_below_lends_its_permit) {
  for (const bool has_time_limit : {false, true}) {
    ThreadGroup group("one", {.max_concurrent_in_subtree = 1});
    group.post([&] {
      ThreadGroup below("below");
      const auto first = below.add_task([] { return 1; });
      const auto second = below.add_task([] { return 2; });
      EXPECT_EQ(has_time_limit ? second.wait(60s) : second.wait(), WaitOutcome::ready);
      EXPECT_EQ(first.get(), 1);
      std::vector<TaskHandle<int>> more;
      for (int i = 0; i < 5; ++i) more.push_back(below.add_task([i] { return i; }));
      int sum = 0;
      for (const auto& task : as_completed(more)) sum += task.get();
      EXPECT_EQ(sum, 10);
      int seen = 0;
      below.post([&] { seen = 1; });
      EXPECT_EQ(below.wait_for_condition([&] { return seen == 1; }, 60s), WaitStatus::condition_met);
    });
    EXPECT_TRUE(group.join(60s).all_succeeded());
  }
}

TEST(SubtreeBound, a_task_that_waits_for_its_own_group_lends_its_permit) {
  for (const std::size_t slots : {1u, 4u}) {
    ThreadGroup group("one", {.max_concurrent_threads = slots, .max_concurrent_in_subtree = 1});
    std::function<int(int)> deep = [&](int depth) -> int {
      if (depth == 0) return 0;
      const auto next = group.add_task([&deep, depth] { return deep(depth - 1); });
      static_cast<void>(next.wait(60s));  // with a time limit it is not run on this stack
      return next.get() + 1;
    };
    EXPECT_EQ(group.add_task([&] { return deep(20); }).get(), 20);
  }
}

TEST(SubtreeBound, a_task_that_joins_an_unrelated_group_lends_its_permit) {
  ThreadGroup elsewhere("elsewhere");
  ThreadGroup group("one", {.max_concurrent_in_subtree = 1});
  std::latch second_runs(1);
  std::latch joins(1);
  elsewhere.post([&] { second_runs.wait(); });
  group.post([&] {
    joins.count_down();
    EXPECT_TRUE(elsewhere.join());
  });
  joins.wait();
  group.post([&] { second_runs.count_down(); });
  EXPECT_TRUE(group.join(60s).all_succeeded());
}

TEST(SubtreeBound, a_destructor_in_a_task_lends_the_permit) {
  ThreadGroup top("top", {.max_concurrent_in_subtree = 2});
  std::unique_ptr<ThreadGroup> other;
  top.add_task([&] { other = std::make_unique<ThreadGroup>("other"); }).get();
  top.post([&] {
    std::latch runs(1);
    std::latch other_ran(1);
    ThreadGroup below("below");
    below.post([&] {
      runs.count_down();
      eventually([&] { return thread_utils::event_is_set(); });
      other->post([&] { other_ran.count_down(); });
      other_ran.wait();
    });
    runs.wait();
  });
  EXPECT_TRUE(top.join(60s).all_succeeded());
  other.reset();
}

TEST(SubtreeBound, children_that_wait_for_a_permit_take_turns) {
  // One child has endless work; the others come all the same. A join without a time limit runs the tasks itself.
  for (const bool has_time_limit : {false, true}) {
    ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
    std::atomic<bool> others_are_done{false};
    std::atomic<int> done{0};
    top.post([&] {
      ThreadGroup endless("endless");
      ThreadGroup other("other");
      std::function<void()> again = [&] {
        if (!others_are_done) endless.post(again);
      };
      again();
      for (int i = 0; i < 5; ++i) {
        other.post([&] {
          if (++done == 5) others_are_done = true;
        });
      }
      EXPECT_TRUE(has_time_limit ? endless.join(60s) : endless.join());
      EXPECT_TRUE(other.join(60s));
    });
    EXPECT_TRUE(top.join(60s).all_succeeded());
  }
}

TEST(SubtreeBound, daemon_groups_are_outside) {
  ThreadGroup group("one", {.max_concurrent_in_subtree = 1});
  group.post([&] {
    std::latch both(2);
    ThreadGroup daemon("daemon", {.daemon = true});
    daemon.post([&] { both.arrive_and_wait(); });
    both.arrive_and_wait();
    EXPECT_TRUE(daemon.join());
  });
  EXPECT_TRUE(group.join(60s).all_succeeded());
}

TEST(SubtreeBound, outlives_its_group_for_the_children) {
  ThreadGroup outer("outer");
  std::unique_ptr<ThreadGroup> orphan;
  Running running;
  outer.post([&] {
    const auto bounded =
        std::make_unique<ThreadGroup>("bounded", GroupOptions{.max_concurrent_in_subtree = 2});
    bounded->post([&] { orphan = std::make_unique<ThreadGroup>("orphan"); });
    bounded->join();
  });
  EXPECT_TRUE(outer.join().all_succeeded());
  ASSERT_NE(orphan, nullptr);
  for (int i = 0; i < 100; ++i) orphan->post([&] { running.pass(); });
  orphan->join();
  EXPECT_LE(running.most(), 2);
}

// A group whose tasks wait for a permit that is taken elsewhere.
class WaitsForPermit : public testing::Test {
 protected:
  // Runs `act` while the only permit is taken and `below` waits for it.
  void with_permit_taken(const std::function<void(ThreadGroup& below)>& act) {
    std::latch runs(1);
    std::latch go(1);
    ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
    std::unique_ptr<ThreadGroup> below;
    top.add_task([&] {
         below = std::make_unique<ThreadGroup>("below");
         bound = detail::TaskContext::current()->node->subtree_bound();
       })
        .get();
    top.post([&] {
      runs.count_down();
      go.wait();
    });
    runs.wait();
    below->post([this] { ++ran; });
    EXPECT_EQ(below->statistics().pending, 1u);
    EXPECT_FALSE(below->join(5ms));
    act(*below);
    below.reset();
    go.count_down();
    // The permit is not lost.
    EXPECT_EQ(top.add_task([] { return 1; }).get(), 1);
    EXPECT_TRUE(top.join(60s).all_succeeded());
  }
  std::atomic<int> ran{0};
  detail::SubtreeBound* bound = nullptr;
};

TEST_F(WaitsForPermit, a_group_that_is_destroyed_runs_nothing_and_loses_no_permit) {
  with_permit_taken([](ThreadGroup&) {});
  EXPECT_EQ(ran, 0);
}
TEST_F(WaitsForPermit, a_group_that_is_stopped_skips_its_task_and_loses_no_permit) {
  with_permit_taken([](ThreadGroup& below) {
    below.set_event();
    EXPECT_EQ(below.join().counts.skipped, 1u);
  });
  EXPECT_EQ(ran, 0);
}
TEST_F(WaitsForPermit, a_group_that_is_cleared_can_be_used_again) {
  with_permit_taken([this](ThreadGroup& below) {
    EXPECT_EQ(below.clear_pending(), 1u);
    EXPECT_TRUE(below.join());
    const auto one = below.add_task([this] { ++ran; });
    EXPECT_TRUE(below.clear_pending(one));
  });
  EXPECT_EQ(ran, 0);
}
TEST_F(WaitsForPermit, a_group_whose_only_task_is_skipped_waits_no_more) {
  with_permit_taken([this](ThreadGroup& below) {
    EXPECT_EQ(below.clear_pending(), 1u);
    const auto one = below.add_task([this] { ++ran; });
    EXPECT_EQ(bound->permits().waiting(), 1u);
    EXPECT_TRUE(one.set_event());
    EXPECT_EQ(bound->permits().waiting(), 0u);
  });
  EXPECT_EQ(ran, 0);
}
TEST_F(WaitsForPermit, a_group_starts_no_thread) {
  with_permit_taken([](ThreadGroup& below) { EXPECT_EQ(below.statistics().threads, 0u); });
}

TEST(SubtreeBound, a_stopped_task_does_not_wait_for_its_permit) {
  ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
  std::latch waits(1);
  std::latch other_runs(1);
  std::latch go(1);
  std::unique_ptr<ThreadGroup> stopped;
  std::unique_ptr<ThreadGroup> other;
  top.add_task([&] {
       stopped = std::make_unique<ThreadGroup>("stopped");
       other = std::make_unique<ThreadGroup>("other");
     })
      .get();
  ThreadGroup elsewhere("elsewhere");
  elsewhere.post([&] { go.wait(); });
  stopped->post([&] {
    waits.count_down();
    EXPECT_TRUE(elsewhere.join().event_set);
  });
  waits.wait();
  other->post([&] {
    other_runs.count_down();
    go.wait();
  });
  other_runs.wait();  // it has the permit
  stopped->set_event();
  EXPECT_TRUE(stopped->join());
  go.count_down();
  EXPECT_TRUE(other->join());
  // The permit that was taken beyond the bound is back: one task at a time.
  Running running;
  for (int i = 0; i < 100; ++i) other->post([&] { running.pass(); });
  other->join();
  EXPECT_EQ(running.most(), 1);
  stopped.reset();
  other.reset();
}

TEST(SubtreeBound, works_together_with_max_pending) {
  Running running;
  ThreadGroup top("top", {.max_concurrent_in_subtree = 2});
  for (int k = 0; k < 3; ++k) {
    top.post([&] {
      ThreadGroup below("below", {.max_concurrent_threads = 2, .max_pending = 1});
      for (int i = 0; i < 50; ++i) below.post([&] { running.pass(); });
      EXPECT_TRUE(below.join());
    });
  }
  EXPECT_TRUE(top.join(60s).all_succeeded());
  EXPECT_LE(running.most(), 2);
}

class SubtreeBoundWithoutThreads : public test::NoThreadLeft {};

// The first group in the queue gets no thread; the next one is served by a join.
TEST_F(SubtreeBoundWithoutThreads, a_permit_goes_on_if_its_group_has_no_thread) {
  std::atomic<int> ran{0};
  ThreadGroup top("top", {.max_concurrent_in_subtree = 1});
  std::unique_ptr<ThreadGroup> first;
  std::unique_ptr<ThreadGroup> second;
  top.add_task([&] {
       first = std::make_unique<ThreadGroup>("first");
       second = std::make_unique<ThreadGroup>("second");
     })
      .get();
  std::latch may_end(1);
  std::latch holds(1);
  top.post([&] {
    holds.count_down();
    may_end.wait();
  });
  holds.wait();
  first->post([&] { ++ran; });
  second->post([&] { ++ran; });
  runtime::faults::refuse_threads(1'000'000);
  may_end.count_down();
  EXPECT_TRUE(second->join());
  EXPECT_TRUE(first->join());
  EXPECT_EQ(ran, 2);
  runtime::faults::refuse_threads(0);
  EXPECT_TRUE(top.join());
  first.reset();
  second.reset();
  go.count_down();
}

}  // namespace
}  // namespace subtree_bound_test
}  // namespace tg
