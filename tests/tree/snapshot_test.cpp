// SPDX-License-Identifier: Apache-2.0
// Pictures of the forest: what they hold, how they are searched, how they are drawn.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>

#include <threadgroup/snapshot.hpp>

#include "support/nodes.hpp"
#include "tree/forest.hpp"

namespace tg {
namespace snapshot_test {
namespace {

using test::Linked;

ThreadEventsController& controller = ThreadEventsController::instance();

NodeSnapshot shot(std::uint64_t id, std::optional<std::uint64_t> parent, std::size_t depth,
                  std::string name) {
  NodeSnapshot s;
  s.id = GroupId{id};
  if (parent) s.parent = GroupId{*parent};
  s.depth = depth;
  s.name = std::move(name);
  return s;
}

TEST(NodeKind, has_a_name_for_each_kind) {
  EXPECT_STREQ(to_string(NodeKind::main_thread), "main_thread");
  EXPECT_STREQ(to_string(NodeKind::foreign_thread), "foreign_thread");
  EXPECT_STREQ(to_string(NodeKind::group), "group");
  EXPECT_STREQ(to_string(NodeKind::daemon), "daemon");
  EXPECT_STREQ(to_string(static_cast<NodeKind>(99)), "unknown");
}

TEST(Snapshot, shows_each_parent_before_its_children_and_the_older_first) {
  const Linked a("a");
  const Linked b("b");
  const Linked a1("a1", *a);
  const Linked a2("a2", *a);
  const Linked daemon("d", NodeKind::daemon);
  const ForestSnapshot snapshot = controller.snapshot();
  ASSERT_EQ(snapshot.nodes.size(), 6u);
  const char* const names[] = {"MainThread", "a", "a1", "a2", "b", "d"};
  const std::size_t depths[] = {0, 1, 2, 2, 1, 0};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(snapshot.nodes[i].name, names[i]);
    EXPECT_EQ(snapshot.nodes[i].depth, depths[i]);
  }
  EXPECT_EQ(snapshot.nodes[2].parent, a->id());
  EXPECT_FALSE(snapshot.nodes[5].parent);
  EXPECT_EQ(snapshot.nodes[5].kind, NodeKind::daemon);
}

TEST(Snapshot, holds_ids_states_counts_and_reasons) {
  const Linked a("a");
  a->counts.pending = 3;
  a->counts.running = 2;
  a->counts.failed = 1;
  test::set_event(a, "because");
  const ForestSnapshot snapshot = controller.snapshot();
  const NodeSnapshot* node = snapshot.find(a->id());
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node, snapshot.find("a"));
  EXPECT_TRUE(node->event_is_set);
  EXPECT_EQ(node->reason->message, "because");
  EXPECT_EQ(node->counts.pending, 3u);
  EXPECT_EQ(node->counts.running, 2u);
  EXPECT_EQ(node->counts.total(), 6u);
}

TEST(Snapshot, is_of_its_moment) {
  Linked a("a");
  const ForestSnapshot before = controller.snapshot();
  a.reset();
  EXPECT_NE(before.find("a"), nullptr);
  EXPECT_EQ(controller.snapshot().find("a"), nullptr);
}

TEST(Snapshot, thread_roots_without_groups_are_not_shown) {
  { const Linked a("a"); }
  EXPECT_TRUE(controller.snapshot().nodes.empty());
}

TEST(Snapshot, says_nothing_of_what_it_does_not_have) {
  const ForestSnapshot empty;
  EXPECT_EQ(empty.find(GroupId{1}), nullptr);
  EXPECT_EQ(empty.find("x"), nullptr);
  EXPECT_TRUE(empty.roots().empty());
  EXPECT_TRUE(empty.children(GroupId{1}).empty());
  EXPECT_EQ(to_text(empty), "");
}

TEST(Snapshot, to_text_draws_the_branches) {
  ForestSnapshot s;
  s.nodes = {shot(1, {}, 0, "MainThread"), shot(2, 1, 1, "a"),  shot(3, 2, 2, "a1"),
             shot(4, 3, 3, "deep"),        shot(5, 2, 2, "a2"), shot(6, 1, 1, "b"),
             shot(7, 6, 2, "b1"),          shot(8, {}, 0, "d"), shot(9, 8, 1, "below")};
  s.nodes[7].kind = NodeKind::daemon;
  EXPECT_EQ(to_text(s),
            "MainThread\n"
            "|-- a\n"
            "|   |-- a1\n"
            "|   |   `-- deep\n"
            "|   `-- a2\n"
            "`-- b\n"
            "    `-- b1\n"
            "d (daemon)\n"
            "`-- below\n");
}

TEST(Snapshot, to_text_shows_counts_and_the_reason) {
  ForestSnapshot s;
  s.nodes = {shot(1, {}, 0, "users")};
  s.nodes[0].counts.pending = 3;
  s.nodes[0].counts.running = 10;
  s.nodes[0].counts.succeeded = 2;
  s.nodes[0].counts.failed = 1;
  s.nodes[0].counts.skipped = 1;
  Reason reason;
  reason.kind = ReasonKind::condition_met;
  s.nodes[0].reason = reason;
  EXPECT_EQ(to_text(s),
            "users  [3 pending, 10 running, 4 done: 1 failed, 1 skipped]  event: condition_met\n");
}

TEST(Snapshot, to_text_shows_how_tasks_ended_and_which_run_for_how_long) {
  ForestSnapshot s;
  s.nodes = {shot(1, {}, 0, "users")};
  s.nodes[0].counts.running = 2;
  s.nodes[0].counts.stopped = 5;
  s.nodes[0].running = {{"ann", std::chrono::milliseconds(100)}, {"bob", std::chrono::milliseconds(2500)}};
  EXPECT_EQ(to_text(s), "users  [0 pending, 2 running (bob for 2.5 s, ann for 0.1 s), 5 done: 5 stopped]\n");
}

TEST(Controller, answers_roots_parent_and_children) {
  const Linked a("a");
  const Linked b("b", *a);
  const Linked c("c", *a);
  const Linked daemon("d", NodeKind::daemon);
  const auto roots = controller.roots();
  ASSERT_EQ(roots.size(), 2u);
  EXPECT_EQ(roots[1], daemon->id());
  EXPECT_EQ(controller.parent(b->id()), a->id());
  EXPECT_EQ(controller.children(a->id()), (std::vector<GroupId>{b->id(), c->id()}));
  EXPECT_TRUE(controller.children(b->id()).empty());
  EXPECT_FALSE(controller.parent(daemon->id()));
  EXPECT_FALSE(controller.parent(GroupId{0}));
}

TEST(Controller, set_all_events_can_say_that_it_was_a_signal) {
  const Linked a("a");
  controller.set_all_events(ReasonKind::signal, "SIGINT");
  EXPECT_EQ(a->event().reason()->kind, ReasonKind::signal);
  EXPECT_EQ(a->event().reason()->where.line, static_cast<std::uint32_t>(__LINE__ - 2));
}

TEST(Statistics, add_up) {
  GroupStatistics s;
  EXPECT_TRUE(s.idle());
  s.pending = 1;
  s.succeeded = 2;
  s.failed = 3;
  s.stopped = 4;
  s.skipped = 5;
  EXPECT_EQ(s.done(), 14u);
  EXPECT_EQ(s.total(), 15u);
  EXPECT_FALSE(s.idle());
}

}  // namespace
}  // namespace snapshot_test
}  // namespace tg
