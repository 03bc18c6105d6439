// SPDX-License-Identifier: Apache-2.0
// Counting down, and waiting for zero.
#include <threadgroup/latch.hpp>

#include <stdexcept>
#include <string>

#include "base/planted.hpp"
#include "runtime/steady_clock.hpp"
#include "sync/sync_note.hpp"

namespace tg {
inline namespace v0 {

namespace {
detail::ParkingKey key_of(const Latch* latch) noexcept { return {latch, detail::ParkingQueue::latch}; }
}  // namespace

Latch::Latch(std::ptrdiff_t count) : count_(count) {
  if (count < 0)
    throw std::invalid_argument("tg::Latch(" + std::to_string(count) + "): the count is at least 0");
}

void Latch::count_down(std::ptrdiff_t by) {
  std::ptrdiff_t count = count_.load(std::memory_order_relaxed);
  do {
    if (by < 0 || by > count) {
      throw std::invalid_argument("tg::Latch::count_down(" + std::to_string(by) + "): there are " +
                                  std::to_string(count) + " left");
    }
  } while (!count_.compare_exchange_weak(
      count, count - by, TG_ORDER(acq_rel, latch_publishes_nothing, relaxed), std::memory_order_relaxed));
  // From here on the latch may be gone: only its address is used.
  if (count == by && by > 0) detail::ParkingLot::instance().release_all(key_of(this));
}

WaitOutcome Latch::wait(Duration timeout) const {
  if (is_ready()) return WaitOutcome::ready;
  detail::ParkingLot& lot = detail::ParkingLot::instance();
  runtime::Flow& me = runtime::Flow::current();
  detail::Event* const event = detail::event_of_caller();
  const TimePoint deadline = runtime::after(timeout);
  const detail::SyncNote note(this, "a latch");
  // In a loop: a latch that was here before may have let its waiters through only now.
  while (!is_ready()) {
    detail::Waiter waiter(me);
    detail::ParkingEntry entry(waiter, key_of(this));
    if (!lot.link(entry, [this] { return !is_ready() || TG_PLANTED(latch_waiter_does_not_look_again); }))
      break;
    const WaitOutcome outcome = waiter.wait(event, deadline);
    if (outcome == WaitOutcome::ready) continue;
    lot.unlink(entry);
    return is_ready() ? WaitOutcome::ready : outcome;
  }
  return WaitOutcome::ready;
}

WaitOutcome Latch::arrive_and_wait(Duration timeout) {
  count_down();
  return wait(timeout);
}

void Latch::check_destruction() const noexcept {
  if (detail::has_waiters(key_of(this))) detail::report_use_after_destruction("a tg::Latch");
}

}  // namespace v0
}  // namespace tg
