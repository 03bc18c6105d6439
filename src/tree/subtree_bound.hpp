// SPDX-License-Identifier: Apache-2.0
// A bound for the tasks of a group and of all groups below it, and a group's claim for its next task.
//
// Invariants
//   D3. A flow that runs a task has a permit of each bound above that task, except while the task lends them.
//       So no more tasks run under a bound than it permits. The exception is that of C1: a task that was
//       stopped while its permits were lent continues at once, and counts.
//   D4. The slot is taken first, then the permits, from the innermost bound outwards. A flow that waits for a
//       permit waits for no slot, and a flow that has all of them waits for none. So flows that wait for slots
//       and permits cannot form a cycle.
//   D5. The claim of a group waits only while the group's node has an owner: the object, which withdraws the claim
//       before it releases the node, or a worker, which does so if the claim is useless. For a claim that still waits
//       when the last owner goes, the node is not called.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/detail/atomic.hpp>

#include "runtime/fork.hpp"
#include "tree/permits.hpp"

namespace tg::inline v0::detail {

/// The permits of one `max_concurrent_in_subtree`, and the next bound above.
///
/// Lifetime: counted. The claims of the groups below hold references, so it outlives the group that made it,
/// whose children then belong to the group above.
class SubtreeBound {
 public:
  explicit SubtreeBound(std::size_t most) noexcept : permits_(most) {}
  SubtreeBound(const SubtreeBound&) = delete;
  SubtreeBound& operator=(const SubtreeBound&) = delete;

  Permits& permits() noexcept { return permits_; }
  SubtreeBound* outer() const noexcept { return outer_; }
  /// Before other flows know this bound: takes a reference to the one above.
  void put_below(SubtreeBound& outer) noexcept {
    outer.add_reference();
    outer_ = &outer;
  }
  bool is_of_this_process() const noexcept { return fork_generation_ == runtime::fork_generation(); }

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;

  /// Gives back a permit of each bound from `first` on, outwards up to `end`, which is left out. The caller
  /// holds no lock.
  static void give_back(SubtreeBound* first, const SubtreeBound* end) noexcept {
    for (SubtreeBound* bound = first; bound != end; bound = bound->outer_) bound->permits_.give_back();
  }

 private:
  ~SubtreeBound() = default;

  const std::uint32_t fork_generation_ = runtime::fork_generation();
  Atomic<std::uint32_t> references_{1};  // atomic: owners on many threads
  SubtreeBound* outer_ = nullptr;        // one reference; constant once other flows know this bound
  Permits permits_;
};

/// The wait for a permit of each bound of a chain: of a flow, or of a group for its next task.
///
/// It waits at one bound at a time, and has permits of the bounds inside that one.
/// Thread safety: guarded by the lock of its group, or used by one flow only. Permits are given back with no lock
/// held.
class PermitClaim {
 public:
  template <class FlowOrNode>
  explicit PermitClaim(SubtreeBound& first, FlowOrNode& waiter) noexcept : first_(first), waiter_(waiter) {}

  SubtreeBound& first() const noexcept { return first_; }
  bool waits() const noexcept { return at_ != nullptr; }
  /// Takes permits outwards, as far as there are some. True once the caller has a permit of each bound.
  bool advance() noexcept;
  /// The same up to the outermost permit, which is only promised to the claim: so a stopped task can still take
  /// that permit.
  bool advance_to_promise() noexcept;
  bool is_promised() const noexcept { return at_ != nullptr && at_->permits().is_promised(waiter_); }
  bool is_promised_by(const Permits& permits) const noexcept {
    return is_promised() && &at_->permits() == &permits;
  }
  /// Whether anything else waits for a permit of one of these bounds.
  bool others_wait() const noexcept;
  /// Ends the wait. The caller then has the permits from the first bound on, up to the one that is returned,
  /// and gives them back.
  [[nodiscard]] const SubtreeBound* withdraw() noexcept;
  /// The same for a claim with a promise, for a caller that gives that one permit back by itself.
  [[nodiscard]] const SubtreeBound* withdraw_all_but_last() noexcept {
    const SubtreeBound* const last = at_;
    static_cast<void>(withdraw());
    return last;
  }
  /// Takes what it still waits for, even if no permit is free.
  void take_anyway() noexcept;

 private:
  SubtreeBound& first_;
  SubtreeBound* at_ = nullptr;  // where it waits
  Permits::Waiter waiter_;
};

/// Permits that a flow has to give back as soon as it holds no lock: from `first` outwards up to `end`.
struct OwedPermits {
  SubtreeBound* first = nullptr;
  const SubtreeBound* end = nullptr;
  void give_back() const noexcept { SubtreeBound::give_back(first, end); }
};

/// A group's claim, which keeps its bounds alive.
class SubtreeClaim {
 public:
  /// Takes over a reference.
  SubtreeClaim(SubtreeBound& first, Node& group) noexcept : of_group(first, group) {}
  ~SubtreeClaim() { of_group.first().release(); }
  SubtreeClaim(const SubtreeClaim&) = delete;
  SubtreeClaim& operator=(const SubtreeClaim&) = delete;

  PermitClaim of_group;  // guarded by the lock of the group
};

}  // namespace tg::inline v0::detail
