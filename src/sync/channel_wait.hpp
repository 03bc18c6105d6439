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

/// One wait for several cases of channels, in rounds: link all cases, park, be claimed for one of them, or claim
/// oneself, and try again. A case that was woken is the first one to be tried, and nothing overtakes it in its
/// own queue for ever (E3).
///
/// Requires: the cases are in the order of their channels' numbers. Of two waiters for the same channels, of
/// which each waits for the other, one then finds the other linked.
/// Guarantees: one case is done, and once, or none.
/// Thread safety: belongs to one flow.
class ChannelWait {
 public:
  struct End {
    WaitOutcome outcome = WaitOutcome::timed_out;
    std::size_t number = 0;  // of the case, if `ready` or `closed`
  };
  /// Parks until the waiter is served (`ready`), or until something else has come: then it claims the waiter
  /// and says what.
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
