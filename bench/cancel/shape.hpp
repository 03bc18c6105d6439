// SPDX-License-Identifier: Apache-2.0
// The trees that are cancelled: ten children to a node, or a chain.
#pragma once

#include <cstddef>
#include <vector>

#include "../common/main.hpp"

namespace bench {

/// Calls `make(parent_index)` for each node after the first, parents first. A tree of n nodes with `width`
/// children each.
template <class Make>
void make_tree(std::int64_t nodes, std::int64_t width, Make make) {
  for (std::int64_t i = 1; i < nodes; ++i) make((i - 1) / width);
}

struct TreeSize {
  explicit TreeSize(const Options& options)
      : nodes(options.get("nodes", 111'111)), width(options.get("width", 10)) {}
  std::int64_t nodes;
  std::int64_t width;  // 1: a chain
};

}  // namespace bench
