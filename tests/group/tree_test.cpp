// SPDX-License-Identifier: Apache-2.0
// Where groups hang, and what they answer about it.
#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <string>
#include <thread>

#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

namespace tg {
namespace tree_test {
namespace {

ThreadEventsController& controller = ThreadEventsController::instance();

TEST(GroupTree, group_made_on_the_main_thread_hangs_under_main_thread) {
  const ThreadGroup group("g");
  EXPECT_EQ(group.path(), "MainThread/g");
}

TEST(GroupTree, group_made_inside_a_task_is_a_child_of_that_tasks_group) {
  ThreadGroup outer("outer");
  const auto paths = outer.add_task([] {
    ThreadGroup inner("inner");
    return inner.add_task([] { return thread_utils::current_path() + "|" + ThreadGroup("leaf").path(); })
        .get();
  });
  EXPECT_EQ(paths.get(), "MainThread/outer/inner|MainThread/outer/inner/leaf");
}

TEST(GroupTree, group_made_on_an_unknown_thread_roots_a_tree_labelled_with_that_thread) {
  std::thread([] {
    ThreadGroup group("g");
    EXPECT_NE(group.path().find("thread "), std::string::npos) << group.path();
    EXPECT_EQ(group.add_task([] { return 3; }).get(), 3);
    const auto root = controller.parent(group.id());
    ASSERT_TRUE(root);
    EXPECT_EQ(controller.snapshot().find(*root)->kind, NodeKind::foreign_thread);
  }).join();
}

TEST(GroupTree, daemon_is_reached_by_no_ancestor_and_may_outlive_the_group_whose_task_made_it) {
  std::unique_ptr<ThreadGroup> daemon;
  std::latch go(1);
  {
    ThreadGroup maker("maker");
    maker
        .add_task([&] {
          daemon = std::make_unique<ThreadGroup>("daemon", GroupOptions{.daemon = true});
          daemon->post([&] {
            const ThreadGroup below("below");
            EXPECT_EQ(below.path(), "daemon/below");
            go.wait();
          });
        })
        .get();
    maker.set_event("stop");
    EXPECT_FALSE(daemon->event_is_set());
    EXPECT_FALSE(controller.parent(daemon->id()));
  }
  EXPECT_FALSE(daemon->event_is_set());
  go.count_down();
  EXPECT_TRUE(daemon->join());
  EXPECT_EQ(daemon->statistics().succeeded, 1u);
}

TEST(GroupTree, destroyed_group_hands_its_living_children_to_its_parent) {
  std::unique_ptr<ThreadGroup> child;
  ThreadGroup top("top");
  top.add_task([&] {
       ThreadGroup middle("middle");
       middle.add_task([&] { child = std::make_unique<ThreadGroup>("child"); }).get();
       EXPECT_EQ(child->path(), "MainThread/top/middle/child");
     })
      .get();
  EXPECT_EQ(child->path(), "MainThread/top/child");
  EXPECT_EQ(controller.parent(child->id()), top.id());
  EXPECT_EQ(child->reason()->kind, ReasonKind::destroyed);  // and its event was set
  EXPECT_EQ(child->reason()->origin_path, "MainThread/top/middle");
}

TEST(GroupTree, parent_destroyed_before_its_child_leaves_the_child_whole) {
  auto parent = std::make_unique<ThreadGroup>("parent");
  std::unique_ptr<ThreadGroup> child;
  parent->add_task([&] { child = std::make_unique<ThreadGroup>("child"); }).get();
  parent.reset();
  EXPECT_EQ(child->path(), "MainThread/child");
  EXPECT_TRUE(child->join());
  child.reset();
  EXPECT_TRUE(controller.snapshot().nodes.empty());
}

TEST(GroupTree, unjoined_nested_groups_never_leak_nodes) {
  for (int i = 0; i < 50; ++i) {
    ThreadGroup outer("outer");
    outer.post([] {
      ThreadGroup inner("inner");
      inner.post([] {
        ThreadGroup leaf("leaf");
        leaf.post([] {});
      });
    });
  }
  EXPECT_TRUE(controller.snapshot().nodes.empty());
}

TEST(GroupTree, snapshot_names_ids_states_counts_and_reasons) {
  std::latch go(1);
  std::latch started(1);
  ThreadGroup group("users", {.max_concurrent_threads = 1});
  group.post([&] {
    started.count_down();
    go.wait();
  });
  group.post([] {});
  started.wait();
  const ForestSnapshot snapshot = controller.snapshot();
  const NodeSnapshot* node = snapshot.find(group.id());
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->name, "users");
  EXPECT_EQ(node->counts.running, 1u);
  EXPECT_EQ(node->counts.pending, 1u);
  EXPECT_FALSE(node->event_is_set);
  EXPECT_EQ(to_text(snapshot).find("MainThread\n`-- users  [1 pending, 1 running (task 1 for "), 0u);
  ASSERT_EQ(node->running.size(), 1u);
  EXPECT_EQ(node->running[0].name, "task 1");
  group.set_event("enough");
  EXPECT_NE(to_text(controller.snapshot())
                .find(" s), 1 done: 1 skipped]  event: requested at MainThread/users: enough"),
            std::string::npos);
  go.count_down();
}

TEST(GroupTree, set_all_events_stops_every_group) {
  ThreadGroup a("a");
  ThreadGroup daemon("d", {.daemon = true});
  controller.set_all_events("all of them");
  EXPECT_EQ(a.reason()->message, "all of them");
  EXPECT_EQ(daemon.reason()->message, "all of them");
}

}  // namespace
}  // namespace tree_test
}  // namespace tg
