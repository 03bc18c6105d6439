// SPDX-License-Identifier: Apache-2.0
// Mistakes that other trees of groups made: links that break, nodes that stay, threads that cannot take part.
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

namespace tree_test {
namespace {

using namespace std::chrono_literals;
using tg::ForestSnapshot;
using tg::NodeKind;
using tg::ThreadEventsController;
using tg::ThreadGroup;

ForestSnapshot forest() { return ThreadEventsController::instance().snapshot(); }

TEST(Tree, parent_may_be_joined_before_its_child) {
  std::binary_semaphore let_go(0);
  ThreadGroup parent("parent");
  std::optional<ThreadGroup> child;
  parent
      .add_task([&] {
        child.emplace("child");
        child->post([&] { let_go.acquire(); });
      })
      .get();
  EXPECT_TRUE(parent.join());
  EXPECT_EQ(child->path(), "MainThread/parent/child");
  EXPECT_EQ(ThreadEventsController::instance().parent(child->id()), parent.id());
  EXPECT_FALSE(child->join(1ms));
  let_go.release();
  EXPECT_TRUE(child->join());
  parent.set_event();
  EXPECT_TRUE(child->event_is_set());
}

TEST(Tree, parent_may_be_destroyed_before_its_child) {
  ThreadGroup grandparent("grandparent");
  std::unique_ptr<ThreadGroup> parent, child;
  grandparent
      .add_task([&] {
        parent = std::make_unique<ThreadGroup>("parent");
        parent->add_task([&] { child = std::make_unique<ThreadGroup>("child"); }).get();
      })
      .get();
  EXPECT_EQ(child->path(), "MainThread/grandparent/parent/child");
  parent.reset();
  EXPECT_EQ(child->path(), "MainThread/grandparent/child");
  EXPECT_EQ(child->reason()->kind, tg::ReasonKind::destroyed);  // it was below when that was said
  grandparent.add_task([&] { EXPECT_TRUE(child->join()); }).get();
  child.reset();
  EXPECT_TRUE(grandparent.join());
  EXPECT_EQ(forest().find("child"), nullptr);
}

TEST(Tree, unjoined_nested_groups_leave_no_nodes) {
  {
    ThreadGroup group("unjoined", {.max_concurrent_threads = 4});
    for (int i = 0; i < 100; ++i) {
      group.post([] {
        ThreadGroup one("one");
        one.post([] {
          ThreadGroup two("two");
          two.post([] { ThreadGroup three("three"); });
        });
      });
    }
    group.post([] { throw 1; });
    EXPECT_EQ(group.wait_idle().failures.size(), 1u);
  }
  EXPECT_TRUE(forest().nodes.empty()) << to_text(forest());
}

TEST(Tree, unknown_thread_roots_a_tree_that_goes_with_it) {
  std::unique_ptr<ThreadGroup> outlives;
  std::thread([&] {
    ThreadGroup group("of a stranger");
    const ForestSnapshot now = forest();
    const auto* node = now.find(group.id());
    ASSERT_NE(node, nullptr);
    const auto* root = now.find(*node->parent);
    ASSERT_NE(root, nullptr);
    EXPECT_EQ(root->kind, NodeKind::foreign_thread);
    EXPECT_EQ(group.path(), root->name + "/of a stranger");
    EXPECT_EQ(group.add_task([] { return tg::thread_utils::current_path(); }).get(), group.path());
    outlives = std::make_unique<ThreadGroup>("outlives its thread");
  }).join();
  EXPECT_NE(outlives->path(), "outlives its thread");  // the root stays as long as something hangs on it
  EXPECT_EQ(outlives->add_task([] { return 1; }).get(), 1);
  outlives.reset();
  EXPECT_TRUE(forest().nodes.empty()) << to_text(forest());
}

TEST(Tree, threads_that_come_and_go_leave_no_roots) {
  for (int i = 0; i < 200; ++i) {
    std::thread([] { ThreadGroup("brief").post([] {}); }).join();
  }
  EXPECT_TRUE(forest().nodes.empty()) << to_text(forest());
}

// Whatever the order in which it happens: a group below a set one is set, and a task added to it never hangs.
TEST(Tree, event_set_while_groups_are_made_added_to_and_destroyed_reaches_all) {
  for (int round = 0; round < 300; ++round) {
    ThreadGroup top("top", {.max_concurrent_threads = 4});
    std::latch ready(3);
    std::atomic<int> unset_below{0};
    std::atomic<int> ended{0};
    const auto busy = [&] {
      ready.count_down();
      for (int i = 0; i < 100000; ++i) {
        const bool set_before = tg::thread_utils::event_is_set();
        ThreadGroup child("child");
        if (set_before && !child.event_is_set()) ++unset_below;
        const auto sleeper = child.add_task([] { return tg::thread_utils::event_aware_sleep(600s); });
        ThreadGroup second("second");
        second.post([] {});
        if (set_before) {
          static_cast<void>(sleeper.wait(0s));
          break;
        }
        if (i % 2 == 0) child.set_event();
        if (i % 3 == 0) {
          static_cast<void>(child.join(0s));
        }
      }
      ++ended;
    };
    top.post(busy);
    top.post(busy);
    ready.arrive_and_wait();
    ASSERT_TRUE(top.set_event("now"));
    ASSERT_TRUE(top.join(60s)) << to_text(forest());
    EXPECT_EQ(ended.load(), 2);
    EXPECT_EQ(unset_below.load(), 0);
  }
  EXPECT_TRUE(forest().nodes.empty()) << to_text(forest());
}

TEST(Tree, event_set_while_tasks_are_added_skips_or_runs_each_exactly_once) {
  for (int round = 0; round < 500; ++round) {
    ThreadGroup group("racing", {.max_concurrent_threads = 2});
    std::atomic<int> ran{0};
    std::latch ready(2);
    std::vector<tg::TaskHandle<void>> handles;
    std::thread adder([&] {
      ready.arrive_and_wait();
      for (int i = 0; i < 200; ++i) handles.push_back(group.add_task([&ran] { ++ran; }));
    });
    ready.arrive_and_wait();
    group.set_event();
    adder.join();
    ASSERT_TRUE(group.join(60s));
    int succeeded = 0;
    for (const auto& handle : handles) {
      ASSERT_TRUE(handle.done());
      if (handle.status() == tg::TaskStatus::succeeded) ++succeeded;
    }
    EXPECT_EQ(succeeded, ran.load());
    EXPECT_EQ(group.statistics().succeeded + group.statistics().skipped, 200u);
  }
}

struct LooksAtTheForest {
  LooksAtTheForest() = default;
  LooksAtTheForest(const LooksAtTheForest&) = default;
  ~LooksAtTheForest() { static_cast<void>(forest()); }
};

TEST(Tree, exception_in_a_reason_may_use_the_library_as_it_goes_with_the_last_group) {
  std::optional<ThreadGroup> parent(std::in_place, "parent",
                                    tg::GroupOptions{.on_failure = tg::OnFailure::set_event});
  std::unique_ptr<ThreadGroup> child;
  parent->post([&child] {
    child = std::make_unique<ThreadGroup>("child");
    throw LooksAtTheForest();
  });
  EXPECT_THROW(static_cast<void>(parent->join()), LooksAtTheForest);
  EXPECT_TRUE(child->event_is_set());
  parent.reset();
  child.reset();  // the last to hold the reason, and with it the exception
  EXPECT_TRUE(forest().nodes.empty()) << to_text(forest());
}

// A worker dropped it after its last task was counted, while it still was in its group.
TEST(Tree, group_made_by_the_end_of_a_delivered_failure_hangs_below_no_group_that_is_gone) {
  std::unique_ptr<ThreadGroup> made;
  std::latch ending(1), parent_gone(1), done(1);
  struct AtTheEnd {
    std::function<void()> call;
    ~AtTheEnd() { call(); }
  };
  auto parent = std::make_unique<ThreadGroup>("parent", tg::GroupOptions{.max_concurrent_threads = 1});
  auto at_the_end = std::make_shared<AtTheEnd>();
  at_the_end->call = [&] {
    ending.count_down();
    parent_gone.wait();
    made = std::make_unique<ThreadGroup>("made");
    done.count_down();
  };
  std::latch added(1), dropped(1);
  tg::TaskHandle<void> failing;
  parent->post([&] {
    failing = parent->add_task([kept = std::move(at_the_end)] { throw kept; });
    parent->post([&] {
      dropped.wait();
      throw 1;
    });
    added.count_down();
  });
  added.wait();
  try {
    failing.get();
  } catch (const std::shared_ptr<AtTheEnd>&) {
  }
  failing = {};
  dropped.count_down();
  ending.wait();
  static_cast<void>(parent->wait_idle());
  parent.reset();
  parent_gone.count_down();
  done.wait();
  EXPECT_NE(made->path(), "parent/made");
}

}  // namespace
}  // namespace tree_test
