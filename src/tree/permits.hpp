// SPDX-License-Identifier: Apache-2.0
// Permits that are handed out first come, first served.
//
// Invariants
//   D1. If there is a waiter without a promise, each free permit is promised to a waiter: the flow that frees the
//       permit promises it before it returns. The waiters with promises are the first in the queue.
//   D2. A promise only reserves a permit. The waiter takes the permit when it runs, or withdraws. Then the caller
//       that withdraws has the permit and gives it back, so that the next waiter gets it.
#pragma once

#include <cstddef>

#include <threadgroup/detail/mutex.hpp>

#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

class Node;

/// Counts permits, and queues the waiters for one, first in, first out.
///
/// A waiter is a flow or a group's node. When a permit is promised to it, the flow is unparked, or the node's
/// `permit_is_free` is called; it then calls `take_or_wait` again.
///
/// Thread safety: everything from any thread. `give_back` is called with no lock held, because it wakes and
/// calls, and so is `change_count`; the other functions may be called under the lock of a group.
/// Lifetime: nothing waits when it is destroyed. A node is kept by a reference while it is called.
class Permits {
 public:
  class Waiter {
   public:
    explicit Waiter(runtime::Flow& flow) noexcept : flow_(&flow) {}
    explicit Waiter(Node& node) noexcept : node_(&node) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

   private:
    friend class Permits;
    runtime::Flow* const flow_ = nullptr;  // either this
    Node* const node_ = nullptr;           // or this
    // Guarded by the lock of the permits that it waits for.
    Waiter* previous_ = nullptr;
    Waiter* next_ = nullptr;
    bool waits_ = false;
    bool is_promised_ = false;
  };

  explicit constexpr Permits(std::size_t count) noexcept
      : count_(static_cast<std::ptrdiff_t>(count)), free_(count_) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  /// Takes one, unless none is free or others wait.
  bool try_take() noexcept;
  /// Takes a permit that is promised to the waiter, or a free one without waiters. If there is none, the waiter is
  /// in the queue from then on.
  bool take_or_wait(Waiter& waiter) noexcept;
  /// The waiter leaves the queue, if it is there. True if a permit was promised to it: then the caller has
  /// that permit.
  bool withdraw(Waiter& waiter) noexcept;
  /// As `take_or_wait`, but the permit is only promised: the waiter stays in the queue until it takes it.
  bool ask(Waiter& waiter) noexcept;
  bool is_promised(const Waiter& waiter) const noexcept;
  /// Takes that many even if so many are not free.
  void take_anyway(std::size_t count = 1) noexcept;
  void give_back(std::size_t count = 1) noexcept;
  /// From now on there are so many more, or fewer. Those that are taken stay taken.
  void change_count(std::ptrdiff_t change) noexcept;
  std::size_t waiting() const noexcept;
  struct Load {
    std::size_t taken = 0;    ///< How many are taken, or promised to waiters.
    std::size_t waiting = 0;  ///< How many wait without a promise.
  };
  /// At one moment.
  Load load() const noexcept;

 private:
  // Whom to wake or to call, once the lock is released. Neither: a node that has no owner any more.
  struct Call {
    runtime::Flow* flow;
    Node* node;  // with a reference
  };
  bool has_one_for_newcomers_locked() const noexcept TG_REQUIRES(mutex_);
  void take_anyway_locked(std::ptrdiff_t count) noexcept TG_REQUIRES(mutex_);
  void remove_locked(Waiter& waiter) noexcept TG_REQUIRES(mutex_);
  bool promise_one_locked(Call& call) noexcept TG_REQUIRES(mutex_);
  void enqueue_locked(Waiter& waiter) noexcept TG_REQUIRES(mutex_);
  bool make(const Call& call) noexcept;

  mutable Mutex mutex_;
  std::ptrdiff_t count_ TG_GUARDED_BY(mutex_);
  std::ptrdiff_t free_ TG_GUARDED_BY(mutex_);  // negative while some were taken anyway
  std::ptrdiff_t promised_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ TG_GUARDED_BY(mutex_) = 0;
  Waiter* first_ TG_GUARDED_BY(mutex_) = nullptr;
  Waiter* last_ TG_GUARDED_BY(mutex_) = nullptr;
  Waiter* first_unpromised_ TG_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tg::inline v0::detail
