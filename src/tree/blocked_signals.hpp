// SPDX-License-Identifier: Apache-2.0
// Names the threads that a stop does not reach, some time after it.
#pragma once

#include <cstdint>

#include <threadgroup/detail/atomic.hpp>

#include "runtime/engine.hpp"

namespace tg::inline v0::detail {

/// Checks the registrations of system calls for threads that block the stop signal, a while after signals were sent:
/// `CallRegistration::kReportAfter`. At most one flow does so at a time, and nothing else, because a full stderr may hold
/// it up.
///
///     signals.note_sent();    // for each signal
///     signals.check_later();  // once, after the last one
///
/// Guarantees: a signal that was noted before a `check_later` is checked, if the system has a thread for it; otherwise
/// the next `check_later` tries again.
/// Thread safety: everything from any thread.
/// Memory ordering: what comes before `note_sent` happens before the check that follows, and each check before the next.
/// Lifetime: there from the start, never destroyed.
class BlockedSignals {
 public:
  /// That of the caller's engine, else that of the process.
  static BlockedSignals& instance() noexcept {
    return runtime::part_of_caller(only_, runtime::Engine::Part::blocked_signals);
  }
  /// Called once, while the library is loaded.
  static void forget_at_forks();

  /// A signal was sent.
  void note_sent() noexcept;
  /// Starts the flow that checks, if signals were sent and it does not run yet. Otherwise this is one load.
  void check_later() noexcept;

 private:
  constexpr BlockedSignals() = default;
  static BlockedSignals only_;

  // In a forked child, where the signals and the flow are the parent's; and before an engine begins again.
  void forget() noexcept { state_.store(0, std::memory_order_relaxed); }
  static void serve_main(void* signals) noexcept;
  void serve() noexcept;

  static constexpr std::uint32_t kNoted = 1;   // signals were sent since the last check began
  static constexpr std::uint32_t kServed = 2;  // the flow runs
  Atomic<std::uint32_t> state_{0};             // atomic: changed by all who set events, and by the flow
};

}  // namespace tg::inline v0::detail
