// SPDX-License-Identifier: Apache-2.0
// Snapshots of all groups of the process, and the controller that takes them and stops groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/statistics.hpp>

namespace tg {
inline namespace v0 {

struct ShutdownPlan;
struct ShutdownReport;

/// What a node of the forest represents.
enum class NodeKind : std::uint8_t {
  main_thread,     ///< the root of the groups that the main thread made
  foreign_thread,  ///< the root of the groups made by a thread that the library did not start
  group,           ///< a group below one of the others
  daemon,          ///< a group that is the root of a tree of its own
  scope,           ///< a `StopScope`, or a task's own event; it has no tasks
  shield,          ///< a `Shield`; it has no tasks
  call,            ///< a call of `abandonable`; it has no tasks
};
/// The enumerator's name: "main_thread".
TG_EXPORT const char* to_string(NodeKind kind) noexcept;

/// Who has abandoned a call of `abandonable` that still runs.
struct AbandonedCall {
  std::string caller;  ///< the path of the caller's group or scope: "MainThread/Fetch"
  Duration ago;        ///< the time since the caller was stopped and went on
};

/// One node of the forest at the moment of the snapshot.
struct NodeSnapshot {
  GroupId id;                                   ///< the group's id
  std::optional<GroupId> parent;                ///< none for a root
  std::size_t depth = 0;                        ///< the number of nodes above; 0 for a root
  NodeKind kind = NodeKind::group;              ///< a group, or a node of another kind
  std::string name;                             ///< the group's name: "Users"
  bool event_is_set = false;                    ///< true if the group was stopped
  std::optional<Reason> reason;                 ///< why it was stopped, if it was
  std::optional<StopLatency> stop;              ///< how fast it was then, if tasks were running
  GroupStatistics counts;                       ///< of the group's own tasks, without the groups below
  std::vector<RunningTask> running;             ///< the tasks that run, read right after the counts
  std::optional<AbandonedCall> abandoned = {};  ///< for a call that its caller has abandoned
};

/// All nodes of the forest, tree by tree, each parent before its children.
///
/// Lifetime: pointers to nodes are valid as long as `nodes` is not changed.
struct TG_EXPORT ForestSnapshot {
  std::vector<NodeSnapshot> nodes;  ///< all nodes

  /// The node of this group; null if there is none.
  const NodeSnapshot* find(GroupId id) const;
  /// The first node of this name; null if there is none.
  const NodeSnapshot* find(const std::string& name) const;
  /// The nodes without a parent.
  std::vector<const NodeSnapshot*> roots() const;
  /// The nodes directly below this one.
  std::vector<const NodeSnapshot*> children(GroupId id) const;
  /// The calls of `abandonable` that still run although their callers have gone on.
  std::vector<const NodeSnapshot*> abandoned() const;
};

/// Draws the forest, one line for each node:
///
///     MainThread
///     `-- Jobs  [3 pending, 1 running (ann for 2 s), 4 done: 1 failed]  event: requested at MainThread/Jobs
TG_EXPORT std::string to_text(const ForestSnapshot& snapshot);

/// What the process runs and what it waits for: the forest as drawn by `to_text`, with a line for each running task, and the deadlocks
/// that the library has found but could not refuse. For the log of a time-out, or for a task that waits for a signal: it takes locks and
/// memory, so it is neither for a signal handler nor for a call from a debugger.
///
///     threadgroup: process 4711 runs 2 tasks, 1 of them waits; 3 pending
///     MainThread
///     `-- Jobs  [3 pending, 2 running, 4 done: 1 failed]
///         - 'page 3' (for 9.8 s; waits for task 'load' of group 'db' for 9.7 s; added at main.cpp:42)
///         - 'page 4' (for 0.1 s; added at main.cpp:42)
///
/// Thread safety: from any thread, also of no group.
TG_EXPORT std::string dump();

/// The view of all groups of the process. Groups register and unregister themselves.
///
///     std::cout << to_text(ThreadEventsController::instance().snapshot());
///
/// Guarantees: a snapshot shows the links, events, reasons and counts of one moment; each group's counts add
/// up.
/// Thread safety: everything from any thread.
/// Lifetime: never destroyed.
class TG_EXPORT ThreadEventsController {
 public:
  /// The only object of this class.
  static ThreadEventsController& instance() noexcept { return only_; }

  /// All groups with their events and counts, at this moment.
  ForestSnapshot snapshot() const;
  /// The nodes without a parent.
  std::vector<GroupId> roots() const;
  /// The group above; none for a root and for a group that has been destroyed.
  std::optional<GroupId> parent(GroupId group) const;
  /// The groups directly below; none for a group that has been destroyed.
  std::vector<GroupId> children(GroupId group) const;

  /// Sets the events of all groups. A group made afterwards is not stopped, unless it is made below one of
  /// these.
  void set_all_events(std::string message = {}, SourceLocation where = SourceLocation::current());
  /// The same with another kind of reason, such as `ReasonKind::signal`.
  void set_all_events(ReasonKind kind, std::string message, SourceLocation where = SourceLocation::current());

  /// As `ThreadGroup::shut_down`, for all groups; those made by threads outside of any task afterwards are not
  /// affected. Throws `std::system_error` (`resource_deadlock_would_occur`) in a task.
  ShutdownReport shut_down(ShutdownPlan plan, SourceLocation where = SourceLocation::current());

  /// How long the end of the process waits for tasks that still run; 2 s by default.
  void set_exit_grace(Duration grace);
  /// How long a group's destructor waits for running tasks before it names them on stderr: 5 s by default;
  /// `Duration::max()` means never. It repeats that after twice the time, then four times, and so on. Throws
  /// `std::invalid_argument` for a time that is not above zero.
  void set_destructor_warning(Duration after);

 private:
  constexpr ThreadEventsController() = default;
  static ThreadEventsController only_;
};

}  // namespace v0
}  // namespace tg
