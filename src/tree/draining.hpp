// SPDX-License-Identifier: Apache-2.0
// How a subtree of groups drains: it finishes what it has, and takes nothing from outside.
//
// A flow is *inside* if it runs a task of a group at or below the top of the drain, or for a drain of the whole
// forest, of any group. What flows inside add is taken: a request that is being served may need more tasks. What
// others add is skipped, with a reason of kind `draining`. A thread that is attached to a group is not inside: it does
// not keep the group busy (T8). Nor is a call that it makes.
//
// A flow that makes a call of `abandonable` for a task, or that runs a task below such a call, is inside only for the
// groups below the call. The call may be left behind at any moment; then its caller goes on, and no drain waits for
// these groups.
//
//     begin_draining(top)  ->  each group: the flag, then once through the adders' lock
//     is_quiet(top)        ->  two looks at all groups
//
// Invariants
//   T6. A group's flag is set under the forest's lock, and then the lock of its adders is taken once; an adder
//       looks at the flag under that lock, and counts its task there. So when `begin_draining` returns, each task
//       that outsiders have added without seeing the flag is counted, and all others see it.
//   T7. A group that is linked below a draining one drains from the start. Linking and flagging happen under
//       the forest's lock, and no flow has a grant (README.md) for a draining group.
//   T8. A flow inside keeps its own group busy while it adds, or that of the task that waits for it. So if all
//       groups were idle at one moment, they stay idle, except those that were left behind. `is_quiet` does not look at
//       these. It holds the forest's lock, so no group comes or goes meanwhile. It looks at each group twice; if all
//       are idle both times and none has been given a task in between, all were idle at the moment between the two
//       rounds.
//   T9. The flag stays. A drain ends with the event, or with the group.
#pragma once

#include <vector>

#include <threadgroup/detail/shared_reason.hpp>

#include "tree/forest.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// The groups at and below a node, or all of the forest (null), children before their parents; each is kept by
/// a reference for as long as the object lives.
///
/// Thread safety: none.
class Subtree {
 public:
  explicit Subtree(Node* top) : top_(top) {}
  ~Subtree() {
    for (Node* node : nodes_) node->release();
  }
  Subtree(const Subtree&) = delete;
  Subtree& operator=(const Subtree&) = delete;

  /// Adds the groups that have come since the last call; those that have gone stay. Throws `std::bad_alloc`.
  void look();
  const std::vector<Node*>& nodes() const noexcept { return nodes_; }

 private:
  Node* const top_;
  std::vector<Node*> nodes_;
  std::vector<const Node*> known_;  // the same, sorted
};

}  // namespace tg::inline v0::detail
