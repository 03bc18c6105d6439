// SPDX-License-Identifier: Apache-2.0
// Chains and bushes so large that recursion would overflow the stack.
#include <gtest/gtest.h>

#include <vector>

#include "base/sanitizers.hpp"
#include "tree/forest.hpp"

#include "support/nodes.hpp"

namespace tg::inline v0::detail {
namespace large_trees_test {
namespace {

using test::BareNode;
using test::Linked;
using test::set_event;

std::vector<Linked> chain_of(std::size_t length) {
  std::vector<Linked> chain;
  chain.reserve(length);
  chain.emplace_back("n");
  while (chain.size() < length) chain.emplace_back("n", *chain.back());
  return chain;
}

class Chains : public testing::TestWithParam<std::size_t> {};

TEST_P(Chains, chain_of_groups_is_set_without_overflow) {
  std::vector<Linked> chain = chain_of(GetParam());
  EXPECT_TRUE(set_event(chain.front(), "down"));
  EXPECT_TRUE(chain.back().is_set());
  EXPECT_TRUE(chain[chain.size() / 2].is_set());
  EXPECT_EQ(chain.back()->event().reason()->origin, chain.front()->id());
  // From the top: each hands its child to the main thread's root.
  for (Linked& node : chain) node.reset();
  EXPECT_EQ(BareNode::alive, 0);
}

// A million takes the sanitizers 10 s and more. Their frames are larger, so 200,000 overflow the stack as surely.
INSTANTIATE_TEST_SUITE_P(Lengths, Chains,
                         testing::Values(100'000, tg::detail::kSanitized ? 200'000 : 1'000'000));

TEST(LargeTrees, chain_that_is_set_in_its_middle_keeps_its_upper_half) {
  std::vector<Linked> chain = chain_of(100'000);
  EXPECT_TRUE(set_event(chain[50'000], "middle"));
  EXPECT_FALSE(chain[49'999].is_set());
  EXPECT_TRUE(chain.back().is_set());
  EXPECT_TRUE(set_event(chain.front(), "top"));
  EXPECT_EQ(chain[49'999].message(), "top");
  EXPECT_EQ(chain[50'001].message(), "middle");
  while (!chain.empty()) chain.pop_back();
}

TEST(LargeTrees, chain_has_a_path_and_a_snapshot) {
  std::vector<Linked> chain = chain_of(100'000);
  EXPECT_EQ(Forest::instance().path(*chain.back()).size(), std::string("MainThread").size() + 2 * 100'000);
  const ForestSnapshot snapshot = Forest::instance().snapshot();
  EXPECT_EQ(snapshot.nodes.size(), 100'001u);
  EXPECT_EQ(snapshot.nodes.back().depth, 100'000u);
  EXPECT_TRUE(Forest::instance().is_same_or_descendant(*chain.back(), *chain.front()));
  while (!chain.empty()) chain.pop_back();
}

TEST(LargeTrees, wide_group_hands_on_and_sets_all_its_children) {
  Linked top("top");
  std::vector<Linked> children;
  for (int i = 0; i < 50'000; ++i) children.emplace_back("c", *top);
  set_event(top);
  for (const Linked& child : children) ASSERT_TRUE(child.is_set());
  top.reset();
  EXPECT_EQ(Forest::instance().path(*children[17]), "MainThread/c");
  children.clear();
  EXPECT_EQ(BareNode::alive, 0);
}

}  // namespace
}  // namespace large_trees_test
}  // namespace tg::inline v0::detail
