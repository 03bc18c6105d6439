// SPDX-License-Identifier: Apache-2.0
// Tests of tree_picture.hpp.
#include "tree_picture.hpp"

#include <gtest/gtest.h>

namespace verify_users {
namespace {

tg::NodeSnapshot node(std::uint64_t id, std::uint64_t parent, std::size_t depth, const std::string& name) {
  tg::NodeSnapshot made;
  made.id = tg::GroupId{id};
  if (parent != 0) made.parent = tg::GroupId{parent};
  made.depth = depth;
  made.name = name;
  if (parent == 0) made.kind = tg::NodeKind::main_thread;
  return made;
}

std::vector<std::string> picture_of(const tg::ForestSnapshot& forest, std::size_t max_lines,
                                    std::size_t width = 200) {
  std::vector<std::string> lines;
  for (const StyledLine& line : draw_tree(forest, {max_lines, width}, false))
    lines.push_back(line.render(width, false));
  return lines;
}

TEST(TreePicture, shows_each_group_at_its_place_with_its_tasks) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread"), node(2, 1, 1, "A"), node(3, 2, 2, "B"), node(4, 1, 1, "C")};
  forest.nodes[1].counts.running = 3;
  forest.nodes[1].counts.pending = 12;
  forest.nodes[1].counts.succeeded = 1;
  forest.nodes[1].counts.failed = 2;
  forest.nodes[1].counts.skipped = 4;
  EXPECT_EQ(picture_of(forest, 10), (std::vector<std::string>{
                                        "MainThread",
                                        "|- A         3 running    12 pending     7 done",
                                        "|  `- B      0 running     0 pending     0 done",
                                        "`- C         0 running     0 pending     0 done",
                                    }));
}

TEST(TreePicture, event_shows_its_reason_and_where_it_came_from) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread"), node(2, 1, 1, "A"), node(3, 2, 2, "B")};
  tg::Reason reason;
  reason.kind = tg::ReasonKind::condition_met;
  reason.message = "enough";
  reason.origin = tg::GroupId{2};
  reason.origin_path = "MainThread/A";
  for (const std::size_t reached : {1U, 2U}) {
    forest.nodes[reached].event_is_set = true;
    forest.nodes[reached].reason = reason;
  }
  const std::vector<std::string> lines = picture_of(forest, 10);
  EXPECT_TRUE(lines[1].ends_with("stop: condition_met, enough")) << lines[1];
  EXPECT_TRUE(lines[2].ends_with("stop: condition_met from MainThread/A")) << lines[2];
}

TEST(TreePicture, reason_that_does_not_fit_is_its_kind_alone) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread"), node(2, 1, 1, "A")};
  tg::Reason reason;
  reason.kind = tg::ReasonKind::condition_met;
  reason.message = "a message that is longer than what is left of the line";
  reason.origin = tg::GroupId{2};
  forest.nodes[1].event_is_set = true;
  forest.nodes[1].reason = reason;
  const std::vector<std::string> lines = picture_of(forest, 10, 80);
  EXPECT_TRUE(lines[1].ends_with("stop: condition_met")) << lines[1];
}

TEST(TreePicture, main_threads_tree_comes_first) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "Service"), node(2, 1, 1, "Connections"), node(3, 0, 0, "MainThread"),
                  node(4, 3, 1, "A")};
  forest.nodes[0].kind = tg::NodeKind::daemon;
  const std::vector<std::string> lines = picture_of(forest, 10);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "MainThread");
  EXPECT_TRUE(lines[1].starts_with("`- A "));
  EXPECT_TRUE(lines[2].starts_with("Service (daemon) "));
  EXPECT_TRUE(lines[3].starts_with("`- Connections "));
}

TEST(TreePicture, daemon_is_called_one) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "Service")};
  forest.nodes[0].kind = tg::NodeKind::daemon;
  EXPECT_TRUE(picture_of(forest, 10)[0].starts_with("Service (daemon) "));
}

TEST(TreePicture, scope_is_called_one) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread"), node(2, 1, 1, "start")};
  forest.nodes[1].kind = tg::NodeKind::scope;
  EXPECT_EQ(picture_of(forest, 10)[1], "`- start (scope)");
}

TEST(TreePicture, more_groups_than_lines_are_hidden_behind_their_parent) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread"), node(2, 1, 1, "A")};
  for (std::uint64_t id = 10; id < 110; ++id) forest.nodes.push_back(node(id, 2, 2, "checks"));
  forest.nodes.push_back(node(3, 0, 0, "Service"));
  const std::vector<std::string> lines = picture_of(forest, 6);
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_TRUE(lines[1].starts_with("`- A +97 ")) << lines[1];
  EXPECT_TRUE(lines[2].starts_with("   |- checks"));
  EXPECT_TRUE(lines[4].starts_with("   `- checks"));
  EXPECT_EQ(lines[5], "Service");
}

TEST(TreePicture, groups_below_hidden_ones_count_as_hidden) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread"), node(2, 1, 1, "A"), node(3, 2, 2, "B"), node(4, 3, 3, "C")};
  const std::vector<std::string> lines = picture_of(forest, 2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[1].starts_with("`- A +2 ")) << lines[1];
}

TEST(TreePicture, chain_of_a_hundred_thousand_groups_is_cut_to_the_lines) {
  tg::ForestSnapshot forest;
  forest.nodes.push_back(node(1, 0, 0, "MainThread"));
  for (std::uint64_t id = 2; id <= 100'000; ++id) forest.nodes.push_back(node(id, id - 1, id - 1, "g"));
  const std::vector<std::string> lines = picture_of(forest, 20, 79);
  ASSERT_EQ(lines.size(), 20U);
  EXPECT_NE(lines.back().find("+99980"), std::string::npos) << lines.back();
  for (const std::string& line : lines) EXPECT_LE(line.size(), 79U);
}

TEST(TreePicture, main_threads_tree_is_hidden_last) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "Service"), node(2, 1, 1, "Connections"), node(3, 0, 0, "MainThread"),
                  node(4, 3, 1, "A")};
  forest.nodes[0].kind = tg::NodeKind::daemon;
  const std::vector<std::string> lines = picture_of(forest, 3);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(lines[1].starts_with("`- A ")) << lines[1];
  EXPECT_TRUE(lines[2].starts_with("Service (daemon) +1 ")) << lines[2];
}

TEST(TreePicture, few_columns_shorten_the_words) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread"), node(2, 1, 1, "Verifying Users")};
  forest.nodes[1].counts.running = 10;
  EXPECT_TRUE(picture_of(forest, 9, 120)[1].starts_with("`- Verifying Users  10 running     0 pending "))
      << picture_of(forest, 9, 120)[1];
  EXPECT_TRUE(picture_of(forest, 9, 60)[1].starts_with("`- Verifying Users  10 run    0 wait "))
      << picture_of(forest, 9, 60)[1];
}

TEST(TreePicture, no_lines_is_an_empty_picture) {
  tg::ForestSnapshot forest;
  forest.nodes = {node(1, 0, 0, "MainThread")};
  EXPECT_TRUE(picture_of(forest, 0).empty());
}

}  // namespace
}  // namespace verify_users
