// SPDX-License-Identifier: Apache-2.0
// A count that goes to zero once, whose waits can be stopped.
#pragma once

#include <cstddef>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

/// A count that goes down to zero once, and then lets all waiting threads through. Its waits can be stopped.
///
///     tg::Latch loaded(3);
///     for (int i = 0; i < 3; ++i) group.post([&] { load(); loaded.count_down(); });
///     if (loaded.wait() == tg::WaitOutcome::ready) start();
///
/// Requires: no thread waits when it is destroyed; that is reported on stderr, and fails a simulation.
/// Thread safety: everything from any thread. A task that waits keeps its slot.
/// Memory ordering: what comes before a `count_down` happens before the return of a `wait` that is `ready`.
/// Lifetime: `count_down` does not touch it once the count is zero, so a thread that waited may destroy it if no
/// other thread waits.
class TG_EXPORT Latch {
 public:
  /// Throws `std::invalid_argument` if `count` is negative.
  explicit Latch(std::ptrdiff_t count);
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;
  ~Latch() {
    if (count_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      check_destruction();
  }

  /// Lowers the count; at zero, lets the waiting threads through. Throws `std::invalid_argument` if `by` is negative
  /// or more than the count.
  void count_down(std::ptrdiff_t by = 1);
  /// Whether the count is zero.
  bool is_ready() const noexcept { return count_.load(std::memory_order_acquire) == 0; }
  /// Waits until the count is zero. Returns `ready` if it is, even if the caller is stopped; otherwise
  /// `event_set` or `timed_out`.
  WaitOutcome wait(Duration timeout = Duration::max()) const;
  /// Counts down by one, and waits. Throws as `count_down` does.
  WaitOutcome arrive_and_wait(Duration timeout = Duration::max());

 private:
  void check_destruction() const noexcept;

  alignas(8) detail::Atomic<std::ptrdiff_t> count_;  // atomic: it is what the flows wait for
};

}  // namespace v0
}  // namespace tg
