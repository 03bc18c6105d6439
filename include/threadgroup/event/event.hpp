// SPDX-License-Identifier: Apache-2.0
// A one-way signal with a reason.
#pragma once

#include <atomic>

#include <threadgroup/event/reason.hpp>
#include <threadgroup/event/wait_queue.hpp>

namespace tg::detail {

/// "Stop, and here is why": unset at first, set once, never cleared.
///
/// Setting has two halves, for a tree marks all events of a subtree before it wakes anybody: `mark`, then
/// `release_waiters`.
///
/// Guarantees: the first reason stays. `is_set` is one load.
/// Thread safety: everything from any thread.
/// Memory ordering: what comes before `mark` happens before the return of an `is_set` that says true.
/// Lifetime: nobody waits on it when it is destroyed.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() {
    if (const SharedReason* reason = reason_.load(std::memory_order_relaxed)) reason->release();
  }

  // Sequentially consistent, for Q1 rests on it; on x86 and ARMv8 the instruction is the same as for an
  // acquire.
  bool is_set() const noexcept { return reason_.load(std::memory_order_seq_cst) != nullptr; }
  ReasonPointer reason() const noexcept {
    return ReasonPointer::share(reason_.load(std::memory_order_acquire));  // stays alive with the event
  }

  /// Sets it, if it is unset, and says whether it did. If so, the event owns one of the caller's references.
  bool mark(const SharedReason* reason) noexcept {
    const SharedReason* expected = nullptr;
    return reason_.compare_exchange_strong(expected, reason, std::memory_order_seq_cst,
                                           std::memory_order_acquire);
  }
  void release_waiters() noexcept { waiters_.release_all(); }

  WaitQueue& waiters() noexcept { return waiters_; }

 private:
  std::atomic<const SharedReason*> reason_{nullptr};  // atomic: the flag and the reason in one word
  WaitQueue waiters_;
};

}  // namespace tg::detail
