// SPDX-License-Identifier: Apache-2.0
// All groups of the process, and the tree that they form.
//
// Invariants
//   T1. A set parent has set children; a child linked under a set parent is born set. Linking and marking
//       happen under the one lock. (Roots of threads carry no event and are not "set": what the main thread
//       makes later is a fresh start. A shield under a set parent is held back instead: it begins its grace
//       once, and its event is set when that is over.)
//   T2. The first reason wins, and every descendant's event holds the reason of the group where it
//       started.
//   T3. Marking comes first for the whole subtree, under the lock and without touching any waiter; waking
//       comes after, with no lock held. A node with something to wake is held by a reference in between.
//       Setting an event, first or not, returns when the whole subtree is marked.
//   T4. A parent does not own its children. Unlinking is O(1) plus one step for each child, which goes to
//       the grandparent.
//   T5. Order of locks: the forest's, then a group's, then a queue's, then the wait graph's. No flow takes the
//       forest's while it holds another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/snapshot.hpp>

#include "runtime/flow.hpp"
#include "tree/node.hpp"
#include "tree/node_cores.hpp"

namespace tg::inline v0::detail {

struct ForestMeasures;
struct FreshLink;
class PathCounts;

/// The forest of groups.
///
/// Thread safety: everything from any thread.
/// Lifetime: there from the start, never destroyed, so that no group outlives it. At the end of the process
/// it sets the events of what is left, and waits a bounded time for the tasks.
class Forest {
 public:
  /// The forest of the caller's engine, else that of the process.
  static Forest& instance() noexcept { return runtime::part_of_caller(only_, runtime::Engine::Part::forest); }
  /// Called once, while the library is loaded.
  static void hold_across_forks();

  /// Links a node below the innermost one of the caller, else below the root of its thread; a daemon becomes
  /// a root. No lock is taken if the caller's flow has a grant (README.md).
  static void link(Node& node);
  /// Takes a group out; its children go to its parent. Harmless when it is out already.
  void unlink(Node& node) noexcept;
  enum class Unlinked { has_children, yes, alone, unseen };
  /// The same for a linked node without children. If it has some, the result is `has_children`, and nothing
  /// was done. Otherwise one of these:
  ///   yes     the general case
  ///   alone   the caller is the only owner, the event is unset, and the node keeps its core. Only if the
  ///           caller asks for that by `keeps_core`, and the flow has room for unused groups
  ///   unseen  no lock was taken; the caller is the only owner, and the node keeps its core
  [[nodiscard]] static Unlinked unlink_leaf(Node& node, bool keeps_core = false) noexcept;
  /// Takes the core of a node that was unlinked as `alone` or `unseen`.
  static void drop_core(Node& node) noexcept;
  /// Takes back the core of a node that is being destroyed.
  void reclaim(NodeCore* core) noexcept;

  /// Sets the event of the group and of all below it, and wakes them. The origin in the reason is filled in
  /// here. True if this call set the group's own event.
  bool set_event(Node& node, Reason reason);
  /// The same with a reason that was made beforehand and that no other thread knows yet. It needs no memory;
  /// without any, the path of the origin stays empty.
  bool set_event_as_prepared(Node& node, SharedReason& reason) noexcept;
  /// The same for a group that is being destroyed when there is no memory for a reason of its own: if its
  /// tasks were not stopped, the destructor could wait forever.
  void set_destroyed_without_memory(Node& node) noexcept;
  /// The same with the reason of an event that was set before.
  bool set_event(Node& node, const SharedReason& reason) noexcept;
  /// Does so for every group there is.
  void set_all_events(Reason reason);

  // Draining: see draining.hpp. `top` null: all groups.
  /// From here on, these groups and those made below them take no task from outside.
  void begin_draining(Node* top, const ReasonPointer& reason);
  /// Why this draining group does not take a task of the calling flow; null if the flow is inside.
  ReasonPointer reason_to_refuse(const Node& node);
  /// Whether all of these groups, except those that were left behind, were idle at one moment during the call.
  bool is_quiet(Node* top);
  /// These groups, except those that were left behind, children before their parents, with a reference to each.
  std::vector<Node*> groups_below(Node* top);

  std::string path(const Node& node) const;
  bool is_same_or_descendant(const Node& node, const Node& ancestor) const;
  /// Whether the node, or one above it, is a call of `abandonable`.
  bool is_inside_call(const Node& node) const;
  /// Whether it is, or is below, an abandoned call that is below `top`, or (null) anywhere. Nothing waits for such a
  /// node.
  bool is_left_behind(const Node& node, const Node* top) const;
  /// Whether `top` waits for what keeps the node busy, or (null) any group does: the node is at or below `top`, and is not
  /// inside a call whose caller is stopped.
  bool is_awaited(const Node& node, const Node* top) const;
  bool has_children(const Node& node);
  ForestSnapshot snapshot();
  /// What the groups do and have done, by their paths: at most so many paths, and the rest together. See path_counts.hpp.
  ForestMeasures measure(std::size_t most_paths);
  /// The running tasks of one group, as in a snapshot.
  std::vector<RunningTask> running_tasks(const Node& node) const;

  void set_exit_grace(Duration grace);
  void set_destructor_warning(Duration after);
  Duration destructor_warning() const;
  /// Stops what is left, waits for it within the grace, and names on stderr what does not stop. Only
  /// the first call does anything: the end of the process makes it, or a runtime that has to end earlier.
  TG_EXPORT void finish_process() noexcept;

 private:
  constexpr Forest() = default;
  TG_EXPORT static Forest only_;

  void begin_locked() TG_REQUIRES(mutex_);
  Node& root_of_calling_thread_locked() TG_REQUIRES(mutex_);
  static void name_by_number(Node& node);
  // A shield may be linked below a node that is set, and a daemon has no parent: these take the lock.
  static bool may_be_fresh(const Node& node) noexcept {
    return node.kind_ == NodeKind::group || node.kind_ == NodeKind::scope;
  }
  void introduce_locked(Node& node, FreshLink* link) TG_REQUIRES(mutex_);
  void inherit_event_locked(Node& node, const Node& from) TG_REQUIRES(mutex_);
  bool is_attached_locked(const Node& node) const TG_REQUIRES(mutex_) {
    return node.previous_sibling_ != nullptr;
  }
  void attach_locked(Node& node, Node* parent) TG_REQUIRES(mutex_);
  void detach_locked(Node& node) TG_REQUIRES(mutex_);
  void link_under_lock(Node& node, FreshLink* link);
  Unlinked unlink_leaf_under_lock(Node& node, FreshLink* link, bool keeps_core) noexcept;
  static void count_end_of(const Node& node, FreshLink* link) noexcept;

  // Fresh groups: README.md.
  struct Grant {
    FreshLink* link;
    Node* parent;
  };
  static constexpr std::size_t kMostGrants = 8;  // each set_event walks upwards from all of them
  static bool link_fresh(FreshLink& link, Node& node);
  static bool unlink_fresh(FreshLink& link, Node& node) noexcept;
  void settle(FreshLink& link, Node& node);
  void end_own_grant_locked(FreshLink& link, const Node* inside) noexcept TG_REQUIRES(mutex_);
  bool grant_locked(FreshLink& link, const Node* inside, Node& node, Node& parent) TG_REQUIRES(mutex_);
  template <class Chosen>
  void reveal_locked(Chosen chosen) noexcept TG_REQUIRES(mutex_);
  void reveal_all_locked() noexcept TG_REQUIRES(mutex_);
  void reveal_children_locked(const Node& parent) noexcept TG_REQUIRES(mutex_);
  void reveal_below_locked(const Node& top) noexcept TG_REQUIRES(mutex_);
  void withdraw_fresh_locked(const Node& node) noexcept TG_REQUIRES(mutex_);
  void forget_grants_locked() noexcept TG_REQUIRES(mutex_);
  void begin_again() noexcept;

  struct Marked;
  void mark_subtree_locked(Node& top, const SharedReason* reason, Marked& marked) TG_REQUIRES(mutex_);
  static void notify(const Marked& marked) noexcept;
  struct Drain;
  bool is_inside_locked(const Node* flow_is_at, const Node& group, const Node* top) const noexcept
      TG_REQUIRES(mutex_);
  Drain* drain_of_locked(const Node* top) const noexcept TG_REQUIRES(mutex_);
  void forget_drain_locked(const Node* top) noexcept TG_REQUIRES(mutex_);
  void forget_drains_locked() noexcept TG_REQUIRES(mutex_);
  // Walks: forest_walk.hpp.
  bool is_below_locked(const Node* node, const Node* top) const noexcept TG_REQUIRES(mutex_);
  enum class Walk : bool { everything, without_left_behind };
  template <class Visit>
  void visit_locked(Node* top, Walk walk, Visit visit) TG_REQUIRES(mutex_);
  Node* next_in_walk_locked(const Node& from, const Node& top, std::size_t& depth) const TG_REQUIRES(mutex_);
  Node* next_after_subtree_locked(const Node& from, const Node& top, std::size_t& depth) const
      TG_REQUIRES(mutex_);
  std::string path_locked(const Node& node) const TG_REQUIRES(mutex_);
  void append_snapshot_locked(Node& top, TimePoint now, ForestSnapshot& out) const TG_REQUIRES(mutex_);
  std::string counted_path_locked(const Node& node) const TG_REQUIRES(mutex_);
  void keep_counts_locked(const Node& node) noexcept TG_REQUIRES(mutex_);
  void leave_path_counts_locked() noexcept TG_REQUIRES(mutex_);
  static void forget_thread(runtime::Flow& flow);
  static void at_exit();

  static constexpr Duration kExitGrace = Duration::from_nanos(2'000'000'000);
  static constexpr Duration kDestructorWarning = Duration::from_nanos(5'000'000'000);

  const SharedReason* destroyed_without_memory_ = nullptr;  // made before the first node, constant since

  mutable Mutex mutex_;
  bool has_begun_ TG_GUARDED_BY(mutex_) = false;
  NodeCore* first_root_ TG_GUARDED_BY(mutex_) = nullptr;  // linked through the siblings' links
  NodeCores cores_;                                       // see there for what the lock guards
  ThreadRoot* main_root_ TG_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t last_id_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t grant_count_ TG_GUARDED_BY(mutex_) = 0;
  std::array<Grant, kMostGrants> grants_ TG_GUARDED_BY(mutex_) = {};
  bool finished_ TG_GUARDED_BY(mutex_) = false;
  Drain* first_drain_ TG_GUARDED_BY(mutex_) = nullptr;
  PathCounts* path_counts_ TG_GUARDED_BY(mutex_) = nullptr;  // null until the first `measure`
  PathCounts* parents_path_counts_ TG_GUARDED_BY(mutex_) = nullptr;
  Duration exit_grace_ TG_GUARDED_BY(mutex_) = kExitGrace;
  Duration destructor_warning_ TG_GUARDED_BY(mutex_) = kDestructorWarning;
};

}  // namespace tg::inline v0::detail
