// SPDX-License-Identifier: Apache-2.0
// Sleeping until a file descriptor is ready, or another flow unparks the sleeper.
#pragma once

#include <poll.h>

#include <cstddef>
#include <vector>

#include <threadgroup/duration.hpp>

#include "runtime/flow.hpp"

namespace tg::inline v0::runtime {

/// A set of file descriptors to wait for. The first descriptor throws in an engine, whose flows share a thread.
///
/// Thread safety: belongs to one flow.
class Poll {
 public:
  /// Throws `std::bad_alloc`, `std::system_error` if the system has no more descriptors, `std::invalid_argument` if
  /// the number is negative, and `std::logic_error` in an engine.
  void add(int descriptor, bool for_writing);
  bool is_empty() const noexcept { return polled_.empty(); }
  /// Asks the system which are ready, without waiting. Throws `std::system_error` if it refuses to say, or one is
  /// not open.
  void look();
  /// As `Flow::park_until`, but also returns when a descriptor is ready. False: the system has refused, and `look`
  /// throws why.
  bool park(Flow& me, TimePoint deadline) noexcept;
  /// Whether the descriptor that was added as the n-th, from 0, was ready at the last look, or when `park` returned.
  bool is_ready(std::size_t n) const noexcept { return polled_[n + 1].revents != 0; }

 private:
  int poll(TimePoint deadline) noexcept;
  int poll_and_ask_for_threads(TimePoint deadline) noexcept;

  std::vector<pollfd> polled_;  // the first is the flow's own: a flow that unparks it writes there
};

}  // namespace tg::inline v0::runtime
