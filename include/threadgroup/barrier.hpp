// SPDX-License-Identifier: Apache-2.0
// A point at which a number of threads meet, again and again; its waits can be stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

/// A point at which a fixed number of threads meet, any number of times. Its waits can be stopped.
///
///     tg::Barrier step_done(workers);
///     while (step_done.arrive_and_wait() == tg::WaitOutcome::ready) compute_next_step();
///
/// If one of them does not come, the others can never meet. So a thread that is stopped or times out breaks the
/// barrier: all waiting calls return `closed`, and so does each later call. (Java's `CyclicBarrier` and
/// Python's `threading.Barrier` break in the same way.)
///
/// Requires: no thread waits when it is destroyed; that is reported on stderr, and fails a simulation.
/// Thread safety: everything from any thread. A task that waits keeps its slot: a group whose tasks meet needs
/// a bound of at least as many.
/// Memory ordering: what comes before an arrival happens before the return of each `arrive_and_wait` of the
/// same meeting that is `ready`.
/// Lifetime: a thread whose call has returned may destroy it only after the calls of all others have returned.
class TG_EXPORT Barrier {
 public:
  /// The most threads that can meet.
  static constexpr std::ptrdiff_t max() noexcept { return 0x7FFFFFFF; }

  /// Throws `std::invalid_argument` if `threads` is not positive or more than `max()`.
  explicit Barrier(std::ptrdiff_t threads);
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  ~Barrier() {
    if (arrived(state_.load(std::memory_order_relaxed)) != 0) [[unlikely]]
      check_destruction();
  }

  /// Waits until as many threads as the barrier is for have arrived. Returns `ready` if they have. If the caller
  /// is stopped (even if that was before the call), or time is up, it breaks the barrier, and returns `event_set`
  /// or `timed_out`. `closed`: another thread has broken it.
  WaitOutcome arrive_and_wait(Duration timeout = Duration::max());
  /// Whether a thread has broken it.
  bool is_broken() const noexcept { return (state_.load(std::memory_order_acquire) & kBroken) != 0; }

 private:
  // The state, from the lowest bit: broken (1 bit), how many have arrived (31 bits), the number of the meeting.
  static constexpr std::uint64_t kBroken = 1;
  static constexpr std::uint64_t kOneArrival = 2;
  static constexpr std::uint64_t kOneMeeting = std::uint64_t{1} << 32;
  static constexpr std::uint64_t arrived(std::uint64_t state) noexcept {
    return (state & (kOneMeeting - 1)) / kOneArrival;
  }
  static constexpr std::uint64_t meeting(std::uint64_t state) noexcept { return state / kOneMeeting; }

  TG_LOCAL WaitOutcome wait(std::uint64_t mine, TimePoint deadline);
  TG_LOCAL bool break_it(std::uint64_t mine) noexcept;
  TG_LOCAL std::string text() const;
  void check_destruction() const noexcept;

  const std::uint64_t threads_;
  detail::Atomic<std::uint64_t> state_{0};  // atomic: meeting, arrivals and end are one word
};

}  // namespace v0
}  // namespace tg
