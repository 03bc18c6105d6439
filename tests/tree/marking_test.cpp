// SPDX-License-Identifier: Apache-2.0
// Walks that mark: each watched node is notified once, whatever the shape, and a node that was set before keeps
// its reason.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/snapshot.hpp>

#include "support/nodes.hpp"
#include "tree/forest.hpp"

namespace tg {
namespace marking_test {
namespace {

using test::Linked;
using test::set_event;

// So many nodes below the first, each with `width` children; every third one is watched.
std::vector<Linked> make_tree(std::size_t count, std::size_t width, NodeKind kind = NodeKind::group) {
  std::vector<Linked> nodes;
  nodes.emplace_back("top", kind);
  for (std::size_t i = 1; i < count; ++i) nodes.emplace_back("", *nodes[(i - 1) / width]);
  for (std::size_t i = 0; i < count; i += 3) nodes[i]->event().watch();
  return nodes;
}

void expect_told_once(const std::vector<Linked>& nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_TRUE(nodes[i].is_set()) << i;
    EXPECT_EQ(nodes[i]->notices, i % 3 == 0 ? 1 : 0) << i;
  }
}

TEST(Marking, each_watched_one_among_hundreds_is_notified_once) {
  for (const std::size_t width : {1U, 3U, 1000U}) {
    SCOPED_TRACE("width " + std::to_string(width));
    const std::vector<Linked> nodes = make_tree(700, width);
    set_event(nodes.front());
    expect_told_once(nodes);
  }
}

TEST(Marking, what_was_set_before_keeps_its_reason_and_is_not_told_again) {
  for (const std::size_t width : {1U, 2U, 30U}) {
    SCOPED_TRACE("width " + std::to_string(width));
    const std::vector<Linked> nodes = make_tree(700, width);
    const std::set<std::size_t> early = {650, 100, 40, 35};
    for (const std::size_t i : early) set_event(nodes[i], "early");
    set_event(nodes.front(), "late");
    expect_told_once(nodes);
    EXPECT_EQ(nodes[0].message(), "late");
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      const bool is_early = early.contains(i) || nodes[(i - 1) / width].message() == "early";
      EXPECT_EQ(nodes[i].message(), is_early ? "early" : "late") << i;
    }
  }
}

TEST(Marking, all_roots_are_reached_and_those_below_a_threads_root_too) {
  std::vector<std::vector<Linked>> trees;
  trees.push_back(make_tree(200, 4, NodeKind::daemon));
  trees.push_back(make_tree(70, 1, NodeKind::daemon));
  trees.push_back(make_tree(200, 200));  // below the main thread
  std::thread([&] {
    trees.push_back(make_tree(100, 3));  // below the root of this thread
    set_event(trees[0][3], "early");
    ThreadEventsController::instance().set_all_events();
    for (const auto& tree : trees) expect_told_once(tree);
    EXPECT_EQ(trees[0][3].message(), "early");
    EXPECT_NE(trees[0][4].message(), "early");
    trees.pop_back();
  }).join();
}

}  // namespace
}  // namespace marking_test
}  // namespace tg
