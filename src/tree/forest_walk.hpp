// SPDX-License-Identifier: Apache-2.0
// A walk through the groups and scopes of the forest.
#pragma once

#include <cstddef>

#include "tree/forest.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Calls `visit` for each node at and below `top`, or (null) of the whole forest, except the roots of threads; each
/// parent before its children. What is left behind begins at an abandoned call below `top`, which may be a root of the
/// forest. The caller has revealed them.
template <class Visit>
void Forest::visit_locked(Node* top, Walk walk, Visit visit) {
  const auto visit_tree = [&](Node& root) TG_REQUIRES(mutex_) {
    std::size_t depth = 0;
    for (Node* node = &root; node != nullptr;) {
      if (walk == Walk::without_left_behind && node != top && node->is_abandoned()) {
        node = next_after_subtree_locked(*node, root, depth);
        continue;
      }
      if (!node->is_thread_root()) visit(*node);
      node = next_in_walk_locked(*node, root, depth);
    }
  };
  if (top != nullptr) return visit_tree(*top);
  for (NodeCore* root = first_root_; root != nullptr; root = root->next_sibling) visit_tree(*root->node);
}

}  // namespace tg::inline v0::detail
