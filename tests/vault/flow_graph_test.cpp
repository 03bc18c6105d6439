// SPDX-License-Identifier: Apache-2.0
// The search for cycles among automatics: what it finds, and how much it looks at.
#include "vault/flow_graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace flow_graph_test {
namespace {

using tg::detail::AutomaticInfo;
using tg::detail::FlowGraph;
using tg::detail::kNone;

AutomaticInfo function(std::vector<std::size_t> inputs, std::vector<std::size_t> outputs) {
  AutomaticInfo info;
  for (const std::size_t input : inputs) info.inputs.push_back({input, true});
  info.outputs = std::move(outputs);
  return info;
}

class Declared {
 public:
  explicit Declared(std::size_t keys) : graph(keys) {}
  bool add(std::vector<std::size_t> inputs, std::vector<std::size_t> outputs) {
    functions_.push_back(function(std::move(inputs), std::move(outputs)));
    if (graph.would_close_cycle(functions_.back())) return false;
    graph.add(functions_.back());
    return true;
  }
  FlowGraph graph;

 private:
  std::deque<AutomaticInfo> functions_;
};

// Of a chain whose links are declared in this order.
std::uint64_t steps_for_chain(const std::vector<std::size_t>& order) {
  Declared chain(order.size() + 1);
  for (const std::size_t link : order) EXPECT_TRUE(chain.add({link}, {link + 1}));
  const std::uint64_t steps = chain.graph.steps();
  EXPECT_FALSE(chain.add({order.size()}, {0}));
  return steps;
}

TEST(FlowGraph, a_chain_costs_few_steps_for_each_function_in_whatever_order_it_is_declared) {
  constexpr std::size_t kLinks = 4096;
  std::vector<std::size_t> order(kLinks);
  std::iota(order.begin(), order.end(), std::size_t{0});
  EXPECT_LE(steps_for_chain(order), 8 * kLinks);
  std::reverse(order.begin(), order.end());
  EXPECT_LE(steps_for_chain(order), 8 * kLinks);
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  EXPECT_LE(steps_for_chain(order), 8 * 12 * kLinks);  // 12: the logarithm
}

TEST(FlowGraph, many_functions_of_one_key_cost_few_steps_each) {
  constexpr std::size_t kFunctions = 4096;
  Declared star(2 * kFunctions + 1);
  for (std::size_t i = 0; i < kFunctions; ++i) EXPECT_TRUE(star.add({0}, {1 + i}));
  for (std::size_t i = 0; i < kFunctions; ++i) EXPECT_TRUE(star.add({1 + i}, {1 + kFunctions + i}));
  EXPECT_LE(star.graph.steps(), 16 * kFunctions);
  EXPECT_FALSE(star.add({2 * kFunctions}, {0}));
}

TEST(FlowGraph, a_function_that_takes_what_it_stores_is_a_cycle) {
  Declared one(2);
  EXPECT_FALSE(one.add({0}, {0}));
  EXPECT_FALSE(one.add({0, 1}, {1}));
  EXPECT_TRUE(one.add({0}, {1}));
}

TEST(FlowGraph, a_removed_function_is_no_way) {
  Declared two(2);
  EXPECT_TRUE(two.add({0}, {1}));
  EXPECT_FALSE(two.add({1}, {0}));
  two.graph.remove(0);
  EXPECT_EQ(two.graph.producer_of(1), kNone);
  EXPECT_TRUE(two.add({1}, {0}));
}

TEST(FlowGraph, the_path_is_a_shortest_one) {
  Declared keys(5);
  EXPECT_TRUE(keys.add({0}, {1}));
  EXPECT_TRUE(keys.add({1}, {2}));
  EXPECT_TRUE(keys.add({0}, {3}));
  EXPECT_TRUE(keys.add({3, 2}, {4}));
  const auto path = keys.graph.path(0, function({4}, {0}));
  ASSERT_EQ(path.size(), 3U);
  EXPECT_EQ(path[0].slot, 0U);
  EXPECT_EQ(path[1].slot, 3U);
  EXPECT_EQ(path[1].function, 2U);
  EXPECT_EQ(path[2].slot, 4U);
  EXPECT_TRUE(keys.graph.path(4, function({0}, {})).empty());
}

// Against a search through everything.
TEST(FlowGraph, it_finds_in_random_graphs_exactly_the_cycles_that_are_there) {
  std::mt19937 random(3);
  int refused = 0;
  for (int round = 0; round < 200; ++round) {
    constexpr std::size_t kKeys = 12;
    Declared declared(kKeys);
    std::vector<std::vector<bool>> leads(kKeys, std::vector<bool>(kKeys));
    for (std::size_t key = 0; key < kKeys; ++key) leads[key][key] = true;
    std::vector<std::size_t> outputs(kKeys);
    std::iota(outputs.begin(), outputs.end(), std::size_t{0});
    std::shuffle(outputs.begin(), outputs.end(), random);
    for (const std::size_t output : outputs) {  // one producer for each key
      std::vector<std::size_t> inputs;
      for (int i = 0; i < 2; ++i) inputs.push_back(random() % kKeys);
      const bool closes =
          std::any_of(inputs.begin(), inputs.end(), [&](std::size_t input) { return leads[output][input]; });
      EXPECT_EQ(declared.add(inputs, {output}), !closes);
      refused += closes ? 1 : 0;
      if (closes) continue;
      for (std::size_t from = 0; from < kKeys; ++from) {
        const bool comes =
            std::any_of(inputs.begin(), inputs.end(), [&](std::size_t input) { return leads[from][input]; });
        for (std::size_t to = 0; comes && to < kKeys; ++to) {
          if (leads[output][to]) leads[from][to] = true;
        }
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace flow_graph_test
