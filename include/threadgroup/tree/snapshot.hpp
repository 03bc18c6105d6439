// SPDX-License-Identifier: Apache-2.0
// A picture of the forest at one moment.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/event/reason.hpp>
#include <threadgroup/tree/node.hpp>
#include <threadgroup/tree/statistics.hpp>

namespace tg {

/// One node of the picture.
struct NodeSnapshot {
  GroupId id;
  std::optional<GroupId> parent;  ///< none for a root
  std::size_t depth = 0;          ///< 0 for a root
  NodeKind kind = NodeKind::group;
  std::string name;
  bool event_is_set = false;
  std::optional<Reason> reason;
  GroupStatistics counts;
  std::vector<RunningTask> running;  ///< taken right after the counts
};

/// All nodes, each parent before its children, each tree after the one before.
struct ForestSnapshot {
  std::vector<NodeSnapshot> nodes;

  const NodeSnapshot* find(GroupId id) const;
  const NodeSnapshot* find(const std::string& name) const;  ///< the first of that name
  std::vector<const NodeSnapshot*> roots() const;
  std::vector<const NodeSnapshot*> children(GroupId id) const;
};

/// Draws the forest, one line per node:
///
///     MainThread
///     `-- Users  [3 pending, 1 running (ann for 2.5 s), 4 done: 1 failed]  event: requested at
///     MainThread/Users
std::string to_text(const ForestSnapshot& snapshot);

}  // namespace tg
