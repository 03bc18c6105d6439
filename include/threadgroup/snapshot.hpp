// SPDX-License-Identifier: Apache-2.0
// All groups of the process at one moment, and the controller that sees and stops them.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/statistics.hpp>

namespace tg {

/// What a node of the forest represents.
enum class NodeKind {
  main_thread,     ///< the root under which the main thread's groups hang
  foreign_thread,  ///< the root for a thread that the library did not start
  group,           ///< a group below one of the others
  daemon,          ///< a group that roots a tree of its own
};
const char* to_string(NodeKind kind) noexcept;

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

/// Knows every group of the process and how they hang together. It needs no calls for that: groups enter and
/// leave by themselves.
///
///     std::cout << to_text(ThreadEventsController::instance().snapshot());
///
/// Guarantees: a snapshot shows the links, events, reasons and counts of one moment; each group's counts add
/// up.
/// Thread safety: everything from any thread.
/// Lifetime: never destroyed.
class ThreadEventsController {
 public:
  static ThreadEventsController& instance() noexcept { return only_; }

  ForestSnapshot snapshot() const;
  std::vector<GroupId> roots() const;
  std::optional<GroupId> parent(GroupId group) const;  ///< none for a root and for a group that is gone
  std::vector<GroupId> children(GroupId group) const;

  /// Tells every group to stop. Groups made afterwards start afresh, unless they are made below one of these.
  void set_all_events(std::string message = {}, SourceLocation where = SourceLocation::current());
  void set_all_events(ReasonKind kind, std::string message, SourceLocation where = SourceLocation::current());

  /// How long the end of the process waits for tasks that still run; 2 s unless set.
  void set_exit_grace(Duration grace);
  /// How long a group's destructor waits for tasks that still run before it names them on stderr; 5 s unless
  /// set, and `Duration::max()` for never. It repeats that after twice the time, then four times, and so on.
  /// Throws `std::invalid_argument` for a time that is not above zero.
  void set_destructor_warning(Duration after);

 private:
  constexpr ThreadEventsController() = default;
  static ThreadEventsController only_;
};

}  // namespace tg
