// SPDX-License-Identifier: Apache-2.0
// A group's node in the forest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/statistics.hpp>

#include "base/cache_line.hpp"
#include "event/event.hpp"
#include "event/wait.hpp"

namespace tg::inline v0::detail {

class ClaimableTask;
class Forest;
class Node;
class Permits;
class StopSource;
class SubtreeBound;
class SubtreeClaim;
class Task;

/// The part of a node that walks of the forest touch: its event, and the links that lead downwards. It is one
/// cache line, in memory where such lines are next to each other, because a walk over many groups is bound
/// by the memory that it touches.
///
/// The links belong to the `Forest` and its lock.
struct alignas(kCacheLine) NodeCore {
  explicit NodeCore(Node& owner) noexcept : node(&owner) {}

  Event event;
  NodeCore* first_child = nullptr;
  NodeCore* next_sibling = nullptr;
  // The link of a walk that marks, and then of the setter's list of nodes to wake, which continues without
  // the lock. An event is set once, so a node is in one such walk and list in its life.
  NodeCore* walk_next = nullptr;
  Node* const node;
};
static_assert(sizeof(NodeCore) == kCacheLine);

/// A node of the forest: a name, an event, and links to its neighbours.
///
/// The links belong to the `Forest` and its lock. The virtual functions are what the tree and the waits need
/// to know of the group that the node is for; a thread's root and a scope keep most defaults.
/// Lifetime: counted. A parent does not own its children: the group's object and its workers hold the
/// references.
class Node {
 public:
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const std::string& name() const noexcept { return name_; }
  GroupId id() const noexcept { return id_; }
  NodeKind kind() const noexcept { return kind_; }
  /// A scope, a shield or a call.
  bool has_no_tasks() const noexcept { return kind_ >= NodeKind::scope; }
  bool is_thread_root() const noexcept {
    return kind_ == NodeKind::main_thread || kind_ == NodeKind::foreign_thread;
  }
  /// Requires that the node was linked once.
  Event& event() noexcept { return core_->event; }
  const Event& event() const noexcept { return core_->event; }

  /// The name, or a generated one for a scope that has none: "StopScope-7".
  std::string shown_name() const;

  /// The innermost bound for the tasks of this group and of groups above it: `max_concurrent_in_subtree`. Null
  /// outside of all of them. Constant once the node is linked, like the claim.
  SubtreeBound* subtree_bound() const noexcept { return claim_ != nullptr ? bound_of_claim() : nullptr; }
  /// Whether there are limits beyond the bound of the group itself: a bound above its tasks, or one for those
  /// that are pending. Constant once the node is linked.
  bool is_limited() const noexcept { return is_limited_; }
  /// Null without a bound.
  SubtreeClaim* subtree_claim() const noexcept { return claim_.get(); }

  /// Whether its event is set by itself some day: it, or a node above it, has a time limit.
  bool is_time_limited() const noexcept { return time_limited_; }

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  /// For the forest, which sees a node until it is unlinked, and for permits, which see it while its claim waits:
  /// false if its last owner has just gone.
  bool try_add_reference() noexcept {
    std::uint32_t count = references_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (references_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void release() noexcept {
    // Without a core it has one owner, and cannot get another one.
    if (core_ == nullptr || references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

  /// The event was set: called once by the setter, with no lock held, after all waiters of the subtree were
  /// released.
  virtual void on_event_set() noexcept {}
  /// An event above this shield is set. Called under the forest's lock; true for the first call. `will_be_called`
  /// says that the caller calls `begin_grace` afterwards, with no lock held; else the maker of the shield does.
  virtual bool hold_back_locked(const SharedReason&, [[maybe_unused]] bool will_be_called) noexcept {
    return false;
  }
  virtual void begin_grace() noexcept {}
  /// Whether this is a shield whose grace has begun, so that its event is set by itself.
  virtual bool is_in_grace() const noexcept { return false; }
  /// A token that is stopped when the event is set; made when first asked for.
  std::stop_token stop_token();
  /// The functions and tokens that follow the event; null for a thread's root.
  virtual StopSource* stop_source() noexcept { return nullptr; }
  virtual GroupStatistics statistics() const { return {}; }
  /// How many tasks of the group can run at a time; constant.
  virtual std::size_t slots() const noexcept { return std::numeric_limits<std::size_t>::max(); }
  /// Called under the forest's lock: see `look_at_wait`. `now` is of the coarse clock.
  virtual std::vector<RunningTask> running_tasks(TimePoint) const { return {}; }
  /// Once the event is set: when the last task has ended that was running then, and which.
  virtual std::optional<StopLatency> stop_latency() const { return {}; }
  /// Only how long that took. It needs no memory.
  virtual std::optional<Duration> stop_time() const noexcept { return {}; }
  /// For an abandoned call: who abandoned it, and how long ago. Called under the forest's lock.
  virtual std::optional<AbandonedCall> abandoned(TimePoint) const { return {}; }
  virtual bool is_abandoned() const noexcept { return false; }
  /// For a call: a task of a group above it waits for it until it has ended or the task is stopped; constant.
  virtual bool is_awaited_by_task() const noexcept { return false; }
  /// A task of this group waits for another one. If that is pending, it is run here and now, on the waiting
  /// flow and in its slot, as far as the stack allows; else nothing is done, and the answer is false.
  virtual bool run_now(Task&) noexcept { return false; }
  /// A flow in no task of this group waits for this one of its tasks. If it is the next one, and a slot is
  /// free, it is run here and now, as far as the stack allows, and the answer is true.
  virtual bool help_with(const Task&) noexcept { return false; }
  /// Skips the task if it is pending in this group, for this reason, whose origin is filled in here.
  virtual bool skip_task(ClaimableTask&, const Reason&) { return false; }
  /// A task of this group is about to wait for work of this group: its slot may be used meanwhile.
  virtual void lend_slot() noexcept {}
  /// Waits until each flow has counted its task that is adding one now. Takes a lock that is held briefly.
  virtual void pass_adders() noexcept {}
  /// Waits until no task is pending or running, or until the predicate is true, which the flow that makes it
  /// true reports by `unpark` or `wake_waiters`.
  virtual WaitOutcome wait_until_idle(FunctionRef<bool()>, const WatchedEvents&, TimePoint) {
    return WaitOutcome::ready;
  }
  /// That task continues. Waits for a slot, unless the event is set.
  virtual void reclaim_slot() noexcept {}
  /// One of these permits, for which the group's claim waits, was promised to it. Called with no lock held.
  /// False if the group has withdrawn from it: then the permit is the caller's.
  virtual bool permit_is_free(const Permits&) noexcept { return true; }
  /// Wakes the flows in `wait_until_idle` and `wait_until_quiet`, which check their conditions again.
  virtual void wake_waiters() noexcept {}
  /// Waits until no task is pending or running but the one that the calling flow is in, or that waits for it
  /// further up; or until the group is left behind. For the end of the process.
  virtual bool wait_until_quiet(TimePoint) noexcept { return true; }
  /// The last reference has gone; the node is still whole, and perhaps in the forest.
  virtual void on_last_reference() noexcept {}

 protected:
  Node(std::string&& name, NodeKind kind, bool time_limited = false);
  void set_limited() noexcept { is_limited_ = true; }
  /// Before it is linked: the tasks of this group and of those below it have a bound of their own.
  void bound_subtree(std::size_t most);
  /// As if constructed again, for a node that was unlinked as `alone` or `unseen`.
  void begin_again(std::string&& name, NodeKind kind) noexcept {
    name_ = std::move(name);
    kind_ = kind;
    time_limited_ = false;
    passes_limits_on_ = false;
  }
  /// Gives up the memory of a long name.
  void forget_name() noexcept {
    if (name_.size() > kShortName) name_ = std::string();
  }
  virtual ~Node();

 private:
  friend class Forest;
  static constexpr std::size_t kShortName = 64;
  void destroy() noexcept;
  SubtreeBound* bound_of_claim() const noexcept;
  /// Before the node is linked below this parent, which has such limits.
  void inherit_limits(const Node& parent);
  Node* parent() const noexcept { return parent_.load(std::memory_order_relaxed); }
  void set_parent(Node* parent) noexcept { parent_.store(parent, std::memory_order_relaxed); }

  Atomic<std::uint32_t> references_{1};  // atomic: owners on many threads

  // Guarded by the forest's lock.
  // Written when the node comes into the forest and when it leaves it, but not as it is handed to another
  // parent: the last owner reads it without the lock, at a time when only the latter can still happen.
  bool linked_ = false;
  // These: constant after construction, but that a parent's limits are given when the node is linked.
  bool time_limited_ : 1;
  bool is_limited_ : 1 = false;
  bool passes_limits_on_ : 1;  // it has a time limit or a bound, which its children inherit
  NodeKind kind_;
  // Atomic: read without the lock as well, but not followed then.
  Atomic<Node*> parent_{nullptr};
  // The first one's leads to the last. Null outside the forest, and while it is fresh (README.md).
  NodeCore* previous_sibling_ = nullptr;

  // Constant from the time on when the node is linked; null before. Only `unlink_leaf` takes it away earlier
  // than the end, from a node that it has taken out of the forest and that has one owner: `release` rests on
  // that.
  NodeCore* core_ = nullptr;

  // Constant after construction (the number, a name that was empty and the claim are given when the node is
  // linked).
  std::unique_ptr<SubtreeClaim> claim_;
  GroupId id_;
  std::string name_;

  // Guarded by the forest's lock: the number of its path in `PathCounts`, or 0; constant once it is set. A node that is
  // used again has none, for it had no task. Last, where fields of `GroupCore` fill the rest of the word.
  std::uint16_t path_number_ = 0;
};

}  // namespace tg::inline v0::detail
