// SPDX-License-Identifier: Apache-2.0
// A lock whose waits can be stopped.
#pragma once

#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

namespace detail {
class Event;
}

/// A mutual exclusion lock of eight bytes, whose waits can be stopped.
///
///     tg::Mutex mutex;
///     const std::scoped_lock lock(mutex);                                      // waits, stopped or not
///     if (mutex.event_aware_lock(2s) == tg::WaitOutcome::ready) {              // gives up when stopped
///       const std::unique_lock lock(mutex, std::adopt_lock);
///     }
///
/// It works with `std::scoped_lock`, `std::unique_lock` and `std::lock`. It is not recursive.
///
/// Requires: the thread that locked it unlocks it. No thread holds it or waits for it when it is destroyed;
/// that is reported on stderr, and fails a simulation.
/// Guarantees: no waiter starves. A running thread may take a free lock before the waiters do, which makes a
/// contended lock fast; but once the first waiter has waited for a millisecond, `unlock` hands the lock over to
/// it. (Go's `sync.Mutex` has a starvation mode after a
/// millisecond; WebKit's `WTF::Lock` is eventually fair.) Waiters are served in order.
/// Thread safety: everything from any thread. A task that waits keeps its slot.
/// Memory ordering: what comes before an `unlock` happens before the return of the next call that takes the lock.
/// Lifetime: `unlock` does not touch it once it is free, so the next holder may unlock and destroy it.
class TG_EXPORT Mutex {
 public:
  constexpr Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() {
    if (state_.load(std::memory_order_relaxed) != kFree) [[unlikely]]
      check_destruction();
  }

  /// Waits until the lock is free, and takes it. A stop does not end this wait.
  void lock() {
    std::uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                        std::memory_order_relaxed)) [[unlikely]]
      lock_slow();
  }
  /// Takes the lock if it is free. Returns whether it did.
  bool try_lock() noexcept {
    std::uint32_t expected = kFree;
    if (state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed))
        [[likely]]
      return true;
    return (expected & kHeld) == 0 && try_lock_slow();
  }
  /// Releases the lock. Throws `std::system_error` (`operation_not_permitted`) if it is not locked.
  void unlock() {
    std::uint32_t expected = kHeld;
    if (!state_.compare_exchange_strong(expected, kFree, std::memory_order_release,
                                        std::memory_order_relaxed)) [[unlikely]]
      unlock_slow();
  }

  /// Waits until the lock is free, and takes it. Returns `ready`; `event_set` if the caller is stopped, even if
  /// the lock is free; or `timed_out`. Only after `ready` does the caller have the lock. A zero or negative time-out
  /// does not wait.
  WaitOutcome event_aware_lock(Duration timeout = Duration::max());

 private:
  // Bits of the state.
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kParked = 2;  // there may be waiters in the parking lot
  static constexpr std::uint32_t kWoken = 4;   // a waiter was woken and has not tried yet: wake no other

  class Entry;
  void lock_slow();
  bool try_lock_slow() noexcept;
  void unlock_slow();
  TG_LOCAL WaitOutcome wait(detail::Event* event, TimePoint deadline);
  void check_destruction() const noexcept;

  alignas(8) detail::Atomic<std::uint32_t> state_{kFree};  // atomic: it is the lock
};

}  // namespace v0
}  // namespace tg
