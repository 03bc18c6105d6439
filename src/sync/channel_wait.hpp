// SPDX-License-Identifier: Apache-2.0
// A flow that waits until it can send to, or receive from, one of several channels.
#pragma once

#include <cstddef>
#include <span>

#include <threadgroup/detail/channel_core.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/event.hpp"
#include "sync/waiter.hpp"

namespace tg::inline v0::detail {

/// One wait for several cases of channels, in rounds: link all cases, park, be claimed for one of them or claim
/// itself, and try again. A woken case is tried first, and is not overtaken in its queue without end (E3).
///
/// Requires: the cases are in the order of their channels' numbers. So if two waiters wait for each other at the
/// same channels, one of them finds the other linked.
/// Guarantees: at most one case is done, and only once.
/// Thread safety: belongs to one flow.
class ChannelWait {
 public:
  struct End {
    WaitOutcome outcome = WaitOutcome::timed_out;
    std::size_t number = 0;  // of the case, if `ready` or `closed`
  };
  /// Parks until the waiter is served (`ready`), or until something else ends the wait: then it claims the
  /// waiter and returns what it was.
  using Park = FunctionRef<WaitOutcome(Waiter&)>;

  explicit ChannelWait(std::span<ChannelCase* const> cases) noexcept;
  ChannelWait(const ChannelWait&) = delete;
  ChannelWait& operator=(const ChannelWait&) = delete;

  /// Tries each case once, in their order from this one on. `closed` if none was done and a channel is closed;
  /// `timed_out` if all must wait.
  End try_all(std::size_t begin) noexcept;
  /// Waits until a case is done or closed, the event is set (null: there is none), or `park` has returned
  /// something else than `ready`. The caller has tried all cases.
  End wait(const Event* event, Park park);

 private:
  End wait_in_rounds(const Event* event, Park park);
  WaitOutcome wait_one_round(Park park);
  bool link_all(Waiter& waiter) noexcept;

  const std::span<ChannelCase* const> cases_;
  ChannelCase* served_ = nullptr;  // in this round
};

/// Waits until the case is done, its channel is closed, the event is set (null: there is none), or the deadline
/// has come.
WaitOutcome wait_for_case(ChannelCase& mine, Event* event, TimePoint deadline);

}  // namespace tg::inline v0::detail
