// SPDX-License-Identifier: Apache-2.0
// The line before the interpreter's lock.
//
// Invariants
//   N1. At most one thread has the turn: it asks for the interpreter's lock, and passes the turn on when it
//       has it.
//   N2. The last touch of a place by others is to give it the turn.
#pragma once

#include <atomic>

#include <threadgroup/detail/mutex.hpp>

#include "runtime/flow.hpp"

namespace tg::python {

/// Lets our threads come to the interpreter's lock one at a time, in their order.
///
///     Turnstile::Place place(Flow::current());
///     turnstile.line_up(place);
///     turnstile.wait(place);
///     PyEval_RestoreThread(state);
///     turnstile.pass_on();
///
/// Those in line sleep until it is their turn. Python would wake each of its waiters every 5 ms, so a
/// thousand of them, all stopped by one event, would keep the machine busy with wake-ups.
///
/// Thread safety: everything from any thread; `wait` by the place's own. Lifetime: a place that lined up
/// stays until `wait` has returned.
class Turnstile {
 public:
  class Place {
   public:
    explicit Place(runtime::Flow& flow) noexcept : flow_(flow) {}
    bool has_turn() const noexcept { return has_turn_.load(std::memory_order_acquire); }

   private:
    friend class Turnstile;
    runtime::Flow& flow_;
    std::atomic<bool> has_turn_{false};  // atomic: written by the flow that passes the turn on
    Place* next_ = nullptr;              // guarded by the turnstile's lock
  };

  /// Puts the place at the end of the line; the caller may be another thread than the place's.
  void line_up(Place& place) noexcept;
  /// Sleeps until it is the place's turn.
  static void wait(const Place& place) noexcept;
  void pass_on() noexcept;

 private:
  detail::Mutex mutex_;
  bool taken_ TG_GUARDED_BY(mutex_) = false;
  Place* first_ TG_GUARDED_BY(mutex_) = nullptr;
  Place* last_ TG_GUARDED_BY(mutex_) = nullptr;  // meaningless while the line is empty
};

}  // namespace tg::python
