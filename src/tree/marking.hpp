// SPDX-License-Identifier: Apache-2.0
// What a walk that marks a subtree leaves behind.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "tree/forest.hpp"

namespace tg::inline v0::detail {

// How many events a walk has marked, whether the top's was among them, and the list of the nodes with a
// waiter to wake. The functions require the forest's lock; the walk along the list needs none.
//
// Invariant
//   M1. A marked node is looked at after a fence that comes after its mark, and before the lock is free. So a
//       node that was watched in time is in the list, and a flow that watches later finds the event set.
struct Forest::Marked {
  std::size_t count = 0;
  bool top = false;
  NodeCore* first = nullptr;
  NodeCore* last = nullptr;
  NodeCore* first_shield = nullptr;  // the list of the shields that begin their grace

  // Those that were marked since the last fence: one for each would cost more than all the rest of the walk.
  std::array<NodeCore*, 64> unseen;
  std::size_t unseen_count = 0;

  void look_later_locked(NodeCore* core) noexcept {
    if (unseen_count == unseen.size()) look_locked();
    unseen[unseen_count++] = core;
  }
  // A shield is held back once. Its link is free until its own event is set, after its grace.
  void hold_back_locked(NodeCore* core, const SharedReason& reason) noexcept {
    if (!core->node->hold_back_locked(reason, true) || !core->node->try_add_reference()) return;
    core->walk_next = std::exchange(first_shield, core);
  }
  // Puts those with a waiter to wake into the list. The walk itself is done with them.
  void look_locked() noexcept {
    Event::order_marks();
    for (std::size_t i = 0; i < unseen_count; ++i) {
      NodeCore* const core = unseen[i];
      if (!core->event.is_watched() || !core->node->try_add_reference()) continue;
      core->walk_next = nullptr;
      (last != nullptr ? last->walk_next : first) = core;
      last = core;
    }
    unseen_count = 0;
  }
};

}  // namespace tg::inline v0::detail
