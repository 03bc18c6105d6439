// SPDX-License-Identifier: Apache-2.0
// How many calls may run on threads that can be abandoned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/shared_reason.hpp>

#include "event/event.hpp"
#include "runtime/engine.hpp"
#include "tree/permits.hpp"

namespace tg::inline v0::detail {

/// Permits for calls, each held until its call has ended, also if it was abandoned: otherwise each stop could leave
/// another set of threads behind. Trio bounds its threads in the same way (`trio.CapacityLimiter` in
/// `trio.to_thread.run_sync`).
///
/// Guarantees: callers are served in order.
/// Thread safety: everything from any thread.
/// Lifetime: there from the start, never destroyed.
class CallBound {
 public:
  static constexpr std::size_t kMost = 64;
  /// A higher bound means this one, so that counts of permits do not overflow.
  static constexpr std::size_t kUnbounded = std::numeric_limits<std::int32_t>::max();

  /// That of the caller's engine, else that of the process.
  static CallBound& instance() noexcept {
    return runtime::part_of_caller(only_, runtime::Engine::Part::calls);
  }
  /// Called once, while the library is loaded.
  static void hold_across_forks();

  /// Waits for a permit. Null: the caller has one; else why it was stopped first.
  ReasonPointer take(Event& of_caller);
  /// Takes one beyond the bound if none is free: for a call inside another one, which has a permit that it does not give
  /// back before the inner call has ended.
  void take_anyway() noexcept { permits_.take_anyway(); }
  void give_back() noexcept;

  /// How many more calls are abandoned, and hold a permit. The end of a call may be counted before its abandonment.
  void count_abandoned(std::ptrdiff_t change) noexcept {
    abandoned_.fetch_add(change, std::memory_order_relaxed);
  }
  /// Once: on stderr, that callers wait while all calls that hold permits are abandoned. Called after each change that may
  /// make it true: a caller waits, a call was abandoned and counted, or another one has ended.
  void report_if_none_ends() noexcept;

  /// The new bound. Calls beyond it go on.
  void set_most(std::size_t most) noexcept;

 private:
  constexpr CallBound() = default;
  void forget_all(std::size_t most) noexcept;
  static CallBound only_;

  mutable Mutex mutex_;
  std::size_t most_ TG_GUARDED_BY(mutex_) = kMost;
  Permits permits_{kMost};
  // Atomic, relaxed: for a report only.
  Atomic<std::ptrdiff_t> abandoned_{0};
  Atomic<bool> has_reported_{false};
};

}  // namespace tg::inline v0::detail
