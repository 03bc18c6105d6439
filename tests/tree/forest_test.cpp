// SPDX-License-Identifier: Apache-2.0
// Linking, unlinking and setting events in the forest.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include <threadgroup/snapshot.hpp>

#include "event/wait.hpp"
#include "runtime/steady_clock.hpp"
#include "support/nodes.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {
namespace forest_test {
namespace {

using test::BareNode;
using test::Inside;
using test::Linked;
using test::set_event;

Forest& forest = Forest::instance();

TEST(Forest, group_made_on_the_main_thread_is_a_child_of_main_thread) {
  const Linked a("a");
  EXPECT_EQ(forest.path(*a), "MainThread/a");
  const auto parent = ThreadEventsController::instance().parent(a->id());
  ASSERT_TRUE(parent);
  EXPECT_EQ(ThreadEventsController::instance().snapshot().find(*parent)->kind, NodeKind::main_thread);
}

TEST(Forest, group_made_inside_a_task_is_a_child_of_that_tasks_group) {
  const Linked a("a");
  const Linked b("b", *a);
  const Linked c("c", *b);
  EXPECT_EQ(forest.path(*c), "MainThread/a/b/c");
  EXPECT_TRUE(forest.has_children(*a));
  EXPECT_FALSE(forest.has_children(*c));
}

TEST(Forest, daemon_roots_a_tree_of_its_own) {
  const Linked a("a");
  const Linked daemon("d", *a, NodeKind::daemon);
  const Linked below("below", *daemon);
  EXPECT_EQ(forest.path(*below), "d/below");
  EXPECT_FALSE(ThreadEventsController::instance().parent(daemon->id()));
  set_event(a);
  EXPECT_FALSE(daemon.is_set());
  set_event(daemon);
  EXPECT_TRUE(below.is_set());
}

TEST(Forest, empty_name_gets_a_generated_one) {
  const Linked a("");
  const Linked b("");
  EXPECT_EQ(a->name(), "ThreadGroup-" + std::to_string(a->id().value));
  EXPECT_NE(a->name(), b->name());
  EXPECT_NE(a->id(), b->id());
}

TEST(Forest, set_event_reaches_the_whole_subtree_and_nothing_else) {
  const Linked a("a");
  const Linked sibling("sibling");
  const Linked b("b", *a);
  const Linked c("c", *b);
  const Linked d("d", *b);
  EXPECT_TRUE(set_event(b, "stop"));
  EXPECT_FALSE(a.is_set());
  EXPECT_FALSE(sibling.is_set());
  EXPECT_TRUE(b.is_set());
  EXPECT_TRUE(c.is_set());
  EXPECT_TRUE(d.is_set());
}

TEST(Forest, descendants_reason_names_the_group_where_it_started) {
  const Linked a("a");
  const Linked b("b", *a);
  const Linked c("c", *b);
  const TimePoint before = runtime::now();
  set_event(b, "stop");
  const ReasonPointer reason = c->event().reason();
  EXPECT_EQ(reason->origin, b->id());
  EXPECT_EQ(reason->origin_path, "MainThread/a/b");
  EXPECT_EQ(reason->message, "stop");
  EXPECT_GE(reason->when, before);
}

TEST(Forest, first_reason_wins) {
  const Linked a("a");
  const Linked b("b", *a);
  const Linked c("c", *a);
  EXPECT_TRUE(set_event(b, "first"));
  EXPECT_FALSE(set_event(b, "again"));
  EXPECT_TRUE(set_event(a, "second"));
  EXPECT_EQ(b.message(), "first");
  EXPECT_EQ(c.message(), "second");
}

TEST(Forest, child_created_after_set_is_born_set) {
  const Linked a("a");
  const Linked b("b", *a);
  set_event(a, "stop");
  const Linked late("late", *b);
  EXPECT_TRUE(late.is_set());
  EXPECT_EQ(late.message(), "stop");
  EXPECT_EQ(late->event().reason()->origin, a->id());
  const Linked later("later", *late);
  EXPECT_TRUE(later.is_set());
  const Linked daemon("daemon", *late, NodeKind::daemon);
  EXPECT_FALSE(daemon.is_set());
}

TEST(Forest, destroyed_group_hands_its_children_to_its_parent) {
  const Linked a("a");
  Linked b("b", *a);
  const Linked c("c", *b);
  const Linked d("d", *b);
  const Linked e("e", *c);
  b.reset();
  EXPECT_EQ(forest.path(*c), "MainThread/a/c");
  EXPECT_EQ(forest.path(*e), "MainThread/a/c/e");
  set_event(a);
  EXPECT_TRUE(c.is_set() && d.is_set() && e.is_set());
}

TEST(Forest, children_of_a_destroyed_daemon_root_their_own_trees) {
  Linked daemon("daemon", NodeKind::daemon);
  const Linked child("child", *daemon);
  daemon.reset();
  EXPECT_EQ(forest.path(*child), "child");
  EXPECT_TRUE(set_event(child));
}

TEST(Forest, nodes_leave_in_any_order_and_none_leaks) {
  ASSERT_EQ(BareNode::alive, 0);
  const std::size_t before = forest.snapshot().nodes.size();
  for (int seed = 0; seed < 24; ++seed) {
    std::vector<Linked> nodes;
    nodes.emplace_back("0");
    nodes.emplace_back("1", *nodes[0]);
    nodes.emplace_back("2", *nodes[0]);
    nodes.emplace_back("3", *nodes[1]);
    for (int left = 4, code = seed; left > 0; code /= left, --left) {
      nodes.erase(nodes.begin() + code % left);
    }
  }
  EXPECT_EQ(BareNode::alive, 0);
  EXPECT_LE(forest.snapshot().nodes.size(), before);
}

TEST(Forest, unlinking_twice_is_harmless) {
  const Linked a("a");
  const Linked b("b", *a);
  forest.unlink(*b);
  forest.unlink(*b);
  EXPECT_FALSE(forest.has_children(*a));
  EXPECT_TRUE(set_event(b));  // it still has an event of its own
  EXPECT_FALSE(a.is_set());
}

TEST(Forest, a_leaf_leaves_quickly_and_a_parent_does_not) {
  Linked a("a");
  Linked b("b", *a);
  EXPECT_EQ(forest.unlink_leaf(*a), Forest::Unlinked::has_children);
  EXPECT_EQ(forest.unlink_leaf(*b), Forest::Unlinked::yes);
  EXPECT_EQ(forest.unlink_leaf(*a), Forest::Unlinked::yes);
}

TEST(Forest, only_watched_nodes_are_notified_after_the_mark) {
  const Linked a("a");
  const Linked watched("w", *a);
  const Linked unwatched("u", *a);
  const Linked deep("deep", *unwatched);
  watched->event().watch();
  deep->event().watch();
  set_event(a);
  EXPECT_EQ(watched->notices, 1);
  EXPECT_EQ(deep->notices, 1);
  EXPECT_EQ(unwatched->notices, 0);
  EXPECT_TRUE(unwatched.is_set());
  set_event(a);
  set_event(watched);
  EXPECT_EQ(watched->notices, 1);  // once in its life
}

TEST(Forest, set_event_that_came_second_returns_when_the_whole_subtree_is_set) {
  for (int round = 0; round < 20; ++round) {
    const Linked top("top");
    std::vector<Linked> children;
    for (int i = 0; i < 2'000; ++i) children.emplace_back("", *top);
    std::thread first([&] { set_event(top); });
    while (!top.is_set()) continue;
    EXPECT_FALSE(set_event(top));
    int unset = 0;
    for (const Linked& child : children) unset += child.is_set() ? 0 : 1;
    EXPECT_EQ(unset, 0) << round;
    first.join();
  }
}

TEST(Forest, a_set_event_wakes_waiters_below) {
  const Linked a("a");
  const Linked b("b", *a);
  std::thread waiter([&] {
    EXPECT_EQ(wait({&b->event(), nullptr}, TimePoint::never()), WaitOutcome::event_set);
  });
  while (!b->event().is_watched()) std::this_thread::yield();
  set_event(a);
  waiter.join();
}

TEST(Forest, set_all_events_reaches_every_tree) {
  const Linked a("a");
  const Linked b("b", *a);
  const Linked daemon("daemon", NodeKind::daemon);
  const Linked below("below", *daemon);
  const Linked already("already");
  set_event(already, "before");
  ThreadEventsController::instance().set_all_events("all of you");
  for (const Linked* node : {&a, &b, &daemon, &below}) {
    EXPECT_EQ(node->message(), "all of you");
    EXPECT_EQ((*node)->event().reason()->origin_path, "MainThread");
  }
  EXPECT_EQ(already.message(), "before");
  const Linked fresh("fresh");  // the main thread starts afresh
  EXPECT_FALSE(fresh.is_set());
}

TEST(Forest, knows_who_is_below_whom) {
  const Linked a("a");
  const Linked b("b", *a);
  const Linked c("c", *b);
  const Linked other("other");
  EXPECT_TRUE(forest.is_same_or_descendant(*a, *a));
  EXPECT_TRUE(forest.is_same_or_descendant(*c, *a));
  EXPECT_FALSE(forest.is_same_or_descendant(*a, *c));
  EXPECT_FALSE(forest.is_same_or_descendant(*other, *a));
}

TEST(Forest, a_node_that_is_unlinked_lives_as_long_as_a_reference_to_it) {
  const int before = BareNode::goodbyes;
  BareNode* node = nullptr;
  {
    const Linked a("a");
    node = &*a;
    node->add_reference();
  }
  EXPECT_EQ(BareNode::goodbyes, before);
  EXPECT_EQ(forest.path(*node), "a");  // out of the tree, and still whole
  EXPECT_TRUE(node->try_add_reference());
  node->release();
  node->release();
  EXPECT_EQ(BareNode::goodbyes, before + 1);
}

TEST(Forest, setting_linking_and_unlinking_at_once_keep_the_invariant) {
  // A set parent has set children, whatever comes first.
  for (int round = 0; round < 200; ++round) {
    const Linked top("top");
    std::thread setter([&] { set_event(top); });
    std::vector<Linked> chain;
    chain.emplace_back("0", *top);
    for (int i = 1; i < 10; ++i) {
      chain.emplace_back(std::to_string(i), *chain.back());
      if (i % 3 == 0) chain.erase(chain.end() - 2);
    }
    setter.join();
    for (const Linked& node : chain) EXPECT_TRUE(node.is_set());
  }
}

}  // namespace
}  // namespace forest_test
}  // namespace tg::inline v0::detail
