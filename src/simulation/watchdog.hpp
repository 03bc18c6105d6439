// SPDX-License-Identifier: Apache-2.0
// Reports a simulation that makes no progress.
#pragma once

#include <cstdint>
#include <memory>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::sim {

/// While it lives, a thread checks once a second whether the counter has changed. If the counter has not
/// changed for 20 s, a line on stderr says that a flow blocks without the library. The watchdog cannot do
/// more, because all flows are on the thread that is blocked.
///
/// Requires: the counter is never destroyed.
class Watchdog {
 public:
  /// Does nothing if the system refuses a thread.
  explicit Watchdog(const detail::Atomic<std::uint64_t>& progress) noexcept;
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// For tests: how long the counter must stay the same, and how often the thread looks.
  static void set_patience(Duration patience, Duration between_looks) noexcept;

 private:
  struct State;
  static void watch(void* state) noexcept;
  std::shared_ptr<State> state_;
};

}  // namespace tg::inline v0::sim
