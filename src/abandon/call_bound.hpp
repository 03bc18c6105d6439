// SPDX-License-Identifier: Apache-2.0
// How many calls may run on threads that can be abandoned.
#pragma once

#include <cstddef>

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

  /// That of the caller's engine, else that of the process.
  static CallBound& instance() noexcept {
    return runtime::part_of_caller(only_, runtime::Engine::Part::calls);
  }
  /// Called once, while the library is loaded.
  static void hold_across_forks();

  /// Waits for a permit. Null: the caller has one; else why it was stopped first.
  ReasonPointer take(Event& of_caller);
  void give_back() noexcept { permits_.give_back(); }

  /// The new bound. Calls beyond it go on.
  void set_most(std::size_t most) noexcept;
  std::size_t most() const noexcept;

 private:
  constexpr CallBound() = default;
  void forget_all() noexcept;
  static CallBound only_;

  mutable Mutex mutex_;
  std::size_t most_ TG_GUARDED_BY(mutex_) = kMost;
  Permits permits_{kMost};
};

}  // namespace tg::inline v0::detail
