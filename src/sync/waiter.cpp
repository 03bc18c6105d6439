// SPDX-License-Identifier: Apache-2.0
// How a waiter is claimed, and how it is woken.
#include "sync/waiter.hpp"

#include "base/planted.hpp"
#include "event/wait.hpp"

namespace tg::inline v0::detail {

bool Waiter::claim(std::uint32_t as) noexcept {
  std::uint32_t expected = kOpen;
  return claimed_.compare_exchange_strong(expected, as, std::memory_order_acq_rel, std::memory_order_acquire);
}

bool Waiter::is_released() const noexcept {
  return released_.load(TG_ORDER(acquire, lot_waiter_sees_nothing, relaxed));
}

WaitOutcome Waiter::wait(Event* event, TimePoint deadline) {
  const WaitOutcome outcome = wait_unparked([this] { return is_released(); }, {event, nullptr}, deadline);
  if (outcome == WaitOutcome::ready) return outcome;
  if (claim(outcome == WaitOutcome::event_set ? kStopped : kTimedOut) ||
      TG_PLANTED(lot_stop_forgets_what_it_got))
    return outcome;
  wait_until_released();
  return WaitOutcome::ready;
}

void Waiter::release() noexcept {
  runtime::Flow* const flow = flow_;
  // Z4: from here on the waiter may be gone, but not the flow.
  released_.store(true, TG_ORDER(release, lot_releaser_publishes_nothing, relaxed));
  flow->unpark();
}

bool Waiter::withdraw() {
  if (claim(kWithdrawn)) return true;
  wait_until_released();
  return false;
}

// Z4: the releaser is on its way, so neither a stop nor a deadline matters.
void Waiter::wait_until_released() {
  if (TG_PLANTED(lot_waiter_leaves_before_released)) return;
  static_cast<void>(wait_unparked([this] { return is_released(); }, {}, TimePoint::never()));
}

}  // namespace tg::inline v0::detail
