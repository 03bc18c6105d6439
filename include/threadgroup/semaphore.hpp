// SPDX-License-Identifier: Apache-2.0
// A number of permits, whose waits can be stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

namespace detail {
class Event;
}

/// A counting semaphore of eight bytes. Its waits can be stopped.
///
///     tg::Semaphore connections(10);
///     if (connections.acquire() == tg::WaitOutcome::ready) { use_one(); connections.release(); }
///
/// Requires: no thread waits when it is destroyed; that is reported on stderr, and fails a simulation.
/// Guarantees: callers are served in order, even one that wants many permits ahead of others that want few. So
/// none starves, and a call does not overtake a waiter even if there are permits for it. A call that does not
/// return `ready` has taken nothing, and the callers behind it move up.
/// Thread safety: everything from any thread. A task that waits keeps its slot.
/// Memory ordering: what comes before a `release` happens before the return of the `acquire` that takes one of
/// its permits.
/// Lifetime: once its permits are there, `release` touches it only while a thread waits. So the thread that takes
/// the permits may destroy it.
class TG_EXPORT Semaphore {
 public:
  /// The most permits that it can have.
  static constexpr std::ptrdiff_t max() noexcept { return std::numeric_limits<std::ptrdiff_t>::max() / 4; }

  /// Throws `std::invalid_argument` if `permits` is negative or more than `max()`.
  explicit Semaphore(std::ptrdiff_t permits);
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore() {
    if ((state_.load(std::memory_order_relaxed) & kWaitedFor) != 0) [[unlikely]]
      check_destruction();
  }

  /// Takes `permits` as soon as they are there and all earlier callers are served. Returns `ready`; `event_set`
  /// if the caller is stopped, even if there are permits; or `timed_out`. A zero or negative time-out does not
  /// wait. Throws `std::invalid_argument` if `permits` is negative or more than `max()`.
  WaitOutcome acquire(std::ptrdiff_t permits = 1, Duration timeout = Duration::max());
  /// Takes `permits` if they are there and no caller waits. Returns whether it did. Throws as `acquire` does.
  bool try_acquire(std::ptrdiff_t permits = 1) {
    check(permits);
    return try_take(permits) || try_again_in_child(permits);
  }
  /// Adds `permits`, and hands them to waiting threads. Throws `std::invalid_argument` if `permits` is negative,
  /// and `std::overflow_error` if there would be more than `max()`. Concurrent calls may exceed it; then a later
  /// call throws.
  void release(std::ptrdiff_t permits = 1) {
    const std::int64_t state = state_.load(std::memory_order_relaxed);
    if (static_cast<std::size_t>(permits) > kFew || (state & kWaitedFor) != 0 || state > 2 * max() - 2 * kFew)
        [[unlikely]]
      return release_slow(permits);
    if ((state_.fetch_add(2 * permits, std::memory_order_release) & kWaitedFor) != 0) [[unlikely]]
      serve_waiters();
  }
  /// How many permits there are. Another thread may have taken them when this returns.
  std::ptrdiff_t available() const noexcept {
    return static_cast<std::ptrdiff_t>(state_.load(std::memory_order_relaxed) >> 1);
  }

 private:
  // The lowest bit of the state; above it are the permits. While it is set, permits are taken only under the
  // parking lot's lock.
  static constexpr std::int64_t kWaitedFor = 1;
  // Up to so many are added without a check for what other threads add meanwhile: far too few for an overflow.
  static constexpr std::ptrdiff_t kFew = std::ptrdiff_t{1} << (sizeof(std::ptrdiff_t) > 4 ? 31 : 15);

  class Entry;
  static void check(std::ptrdiff_t permits) {
    if (permits < 0 || permits > max()) [[unlikely]]
      throw_bad_count(permits);
  }
  [[noreturn]] static void throw_bad_count(std::ptrdiff_t permits);
  bool try_take(std::ptrdiff_t permits) noexcept {
    std::int64_t state = state_.load(std::memory_order_relaxed);
    while ((state & kWaitedFor) == 0 && state >= 2 * permits) {
      if (state_.compare_exchange_weak(state, state - 2 * permits, std::memory_order_acquire,
                                       std::memory_order_relaxed)) [[likely]]
        return true;
    }
    return false;
  }
  // In a forked child the bit may be left from waiters of the parent, and no other flow would clear it.
  bool try_again_in_child(std::ptrdiff_t permits) noexcept {
    return (state_.load(std::memory_order_relaxed) & kWaitedFor) != 0 && forget_parents_waiters() &&
           try_take(permits);
  }
  bool forget_parents_waiters() noexcept;
  TG_LOCAL bool take_or_announce(std::ptrdiff_t permits) noexcept;
  TG_LOCAL WaitOutcome acquire_slow(std::ptrdiff_t permits, detail::Event* event, Duration timeout);
  TG_LOCAL WaitOutcome wait(std::ptrdiff_t permits, detail::Event* event, Duration timeout);
  void release_slow(std::ptrdiff_t permits);
  void serve_waiters() noexcept;
  // Whether the semaphore may be accessed even if its queue has no waiter: it may be destroyed already.
  enum class Touch : std::uint8_t { always, while_waited_for };
  TG_LOCAL void add_and_serve(std::ptrdiff_t permits, Touch touch) noexcept;
  void check_destruction() const noexcept;

  detail::Atomic<std::int64_t> state_;  // atomic: permits and whether they are waited for
};

}  // namespace v0
}  // namespace tg
