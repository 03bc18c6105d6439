// SPDX-License-Identifier: Apache-2.0
// A one-way signal with a reason.
#pragma once

#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/wait_queue.hpp>

#include "base/fence.hpp"
#include "base/planted.hpp"
#include "runtime/gate.hpp"

namespace tg::inline v0::detail {

/// "Stop, and here is why": unset at first, set once, never cleared.
///
/// Setting has two halves, because a tree marks all events of a subtree before it wakes a waiter: `mark`, and
/// then `release_waiters` if the event `is_watched`. For many events at once there are `mark_one_of_many` and
/// `order_marks`.
///
/// Guarantees: the first reason stays. `is_set` is one load. A flow that calls `watch` and then finds the
/// event unset is woken when it is set.
/// Thread safety: everything from any thread.
/// Memory ordering: what comes before `mark` happens before the return of an `is_set` that says true.
/// Lifetime: no flow waits on it when it is destroyed.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() {
    if (const SharedReason* reason = reason_.load(std::memory_order_relaxed)) reason->release();
  }

  // Sequentially consistent, because Q1 depends on it; on x86 and ARMv8 the instruction is the same as for an
  // acquire.
  bool is_set() const noexcept {
    return reason_.load(TG_ORDER(seq_cst, event_look_is_not_ordered, acquire)) != nullptr;
  }
  ReasonPointer reason() const noexcept {
    return ReasonPointer::share(reason_.load(std::memory_order_acquire));  // stays alive with the event
  }

  /// The address of a pointer that is null until the event is set, for `stoppable_call`.
  const void* word() const noexcept {
    static_assert(sizeof reason_ == sizeof(void*));
    return &reason_;
  }

  /// Requests, permanently, that waiters are woken when the event is set. The caller checks `is_set`
  /// afterwards. Returns `is_draining`, because a flow that adds a task needs both.
  bool watch() noexcept {
    // Sequentially consistent as well: if another flow watched first, its store must precede our check of the
    // event.
    const std::uint8_t flags = flags_.load(std::memory_order_seq_cst);
    return flags != kWatched && watch_first(flags);
  }
  bool is_watched() const noexcept {
    return (flags_.load(TG_ORDER(seq_cst, event_look_for_watchers_is_not_ordered, acquire)) & kWatched) != 0;
  }

  /// Before other flows know the event: a walk that marks a subtree does not mark this one.
  void shield() noexcept { is_shielded_ = true; }
  bool is_shielded() const noexcept { return is_shielded_; }

  /// The group of the event begins to drain, permanently. Not a part of the event, but in a word that each
  /// flow reads which adds a task. See tree/draining.hpp.
  void begin_draining() noexcept { flags_.fetch_or(kDraining, std::memory_order_seq_cst); }
  bool is_draining() const noexcept { return (flags_.load(std::memory_order_acquire) & kDraining) != 0; }

  /// Sets the event if it is unset; true if this call set it. Then the event owns one of the
  /// caller's references.
  bool mark(const SharedReason* reason) noexcept {
    const SharedReason* expected = nullptr;
    return reason_.compare_exchange_strong(
        expected, reason, TG_ORDER(seq_cst, event_mark_is_not_ordered, acq_rel), std::memory_order_acquire);
  }
  /// As `mark`, for one of many events, without the fence that is most of the cost of `mark`. Requires: calls
  /// for one event are serialized, and `order_marks` is called between the marks and `is_watched`.
  bool mark_one_of_many(const SharedReason* reason) noexcept {
    if (reason_.load(std::memory_order_relaxed) != nullptr) return false;
    reason_.store(reason, std::memory_order_release);
    return true;
  }
  /// Either the flow that watches finds the event set, or the caller finds it watched.
  static void order_marks() noexcept {
    if (!TG_PLANTED(event_marks_have_no_fence)) full_fence();
  }
  void release_waiters() noexcept {
    gate_.open();
    waiters_.release_all();
  }

  /// The flows that wait for this event and something else, but cannot sleep on two words; flows whose system calls it
  /// stops; and functions to call. All watch it first.
  WaitQueue& waiters() noexcept { return waiters_; }
  /// The other flows that wait for this event. They watch it first.
  runtime::Gate& gate() noexcept { return gate_; }

 private:
  static constexpr std::uint8_t kWatched = 1;
  static constexpr std::uint8_t kDraining = 2;
  bool watch_first(std::uint8_t flags) noexcept {
    if ((flags & kWatched) == 0)
      flags = flags_.fetch_or(kWatched, TG_ORDER(seq_cst, event_watch_is_not_ordered, release));
    return (flags & kDraining) != 0;
  }

  Atomic<const SharedReason*> reason_{nullptr};  // atomic: the flag and the reason in one word
  // Atomic: a flow that watches writes before it reads `reason_`, one that sets the event afterwards; and adders
  // read it.
  Atomic<std::uint8_t> flags_{0};
  bool is_shielded_ = false;  // constant once other flows know the event
  runtime::Gate gate_;
  WaitQueue waiters_;
};

/// Whether there is an event, and it is set.
inline bool is_set(const Event* event) noexcept { return event != nullptr && event->is_set(); }

}  // namespace tg::inline v0::detail
