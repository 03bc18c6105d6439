// SPDX-License-Identifier: Apache-2.0
// Says so if a simulation makes no progress.
#pragma once

#include <cstdint>
#include <memory>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::sim {

/// While it lives, a thread of the system looks once a second whether the counter has changed. If it has not
/// for long, a line on stderr says that a flow blocks outside of the library: nothing else can be done about
/// that, because all flows are on the thread that is blocked.
///
/// Requires: the counter is never destroyed.
class Watchdog {
 public:
  /// Without a thread for it there is no watchdog.
  explicit Watchdog(const detail::Atomic<std::uint64_t>& progress) noexcept;
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// For tests: how long it waits before it says so, 20 s at first; and how often it looks.
  static void set_patience(Duration patience, Duration between_looks) noexcept;

 private:
  struct State;
  static void watch(void* state) noexcept;
  std::shared_ptr<State> state_;
};

}  // namespace tg::inline v0::sim
