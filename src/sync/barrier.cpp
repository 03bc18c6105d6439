// SPDX-License-Identifier: Apache-2.0
// Meeting, and breaking the barrier.
#include <threadgroup/barrier.hpp>

#include <stdexcept>
#include <string>

#include "base/planted.hpp"
#include "runtime/steady_clock.hpp"
#include "sync/sync_note.hpp"

namespace tg {
inline namespace v0 {

namespace {
detail::ParkingKey key_of(const Barrier* barrier) noexcept {
  return {barrier, detail::ParkingQueue::barrier};
}

class Entry : public detail::ParkingEntry {
 public:
  Entry(detail::Waiter& waiter, const Barrier* barrier, const detail::Event* event) noexcept
      : ParkingEntry(waiter, key_of(barrier)), event_(event) {}
  /// While it is linked: whether its event wakes it.
  bool is_stopped() const noexcept { return detail::is_set(event_); }

 private:
  const detail::Event* const event_;
};
}  // namespace

Barrier::Barrier(std::ptrdiff_t threads) : threads_(static_cast<std::uint64_t>(threads)) {
  if (threads <= 0 || threads > max()) {
    throw std::invalid_argument("tg::Barrier(" + std::to_string(threads) +
                                "): the number of threads is at least 1, and at most " +
                                std::to_string(max()));
  }
}

WaitOutcome Barrier::arrive_and_wait(Duration timeout) {
  const detail::Event* const event = detail::event_of_caller();
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  if (detail::is_set(event)) {
    while (!is_broken() && !break_it(meeting(state_.load(std::memory_order_relaxed)))) {
    }
    return WaitOutcome::event_set;
  }
  bool is_last = false;
  do {
    if ((state & kBroken) != 0) return WaitOutcome::closed;
    is_last = arrived(state) + 1 == threads_;
  } while (!state_.compare_exchange_weak(state,
                                         is_last ? (meeting(state) + 1) * kOneMeeting : state + kOneArrival,
                                         std::memory_order_acq_rel, std::memory_order_relaxed));
  if (!is_last) return wait(meeting(state), runtime::after(timeout));
  detail::ParkingLot::instance().release_all(key_of(this));
  return WaitOutcome::ready;
}

WaitOutcome Barrier::wait(std::uint64_t mine, TimePoint deadline) {
  detail::ParkingLot& lot = detail::ParkingLot::instance();
  runtime::Flow& me = runtime::Flow::current();
  detail::Event* const event = detail::event_of_caller();
  const detail::SyncNote note(this, "a barrier", [](const detail::WaitNote& text) {
    return detail::SyncNote::primitive<Barrier>(text).text();
  });
  for (;;) {
    const std::uint64_t state = state_.load(std::memory_order_acquire);
    if (meeting(state) != mine) return WaitOutcome::ready;  // first, because a later meeting may be broken
    if ((state & kBroken) != 0) return WaitOutcome::closed;
    detail::Waiter waiter(me);
    Entry entry(waiter, this, event);
    const auto must_wait = [&] {
      const std::uint64_t now = state_.load(std::memory_order_acquire);
      return (meeting(now) == mine && (now & kBroken) == 0) || TG_PLANTED(barrier_waiter_does_not_look_again);
    };
    if (!lot.link(entry, must_wait)) continue;
    const WaitOutcome outcome = waiter.wait(event, deadline);
    if (outcome == WaitOutcome::ready) continue;
    lot.unlink(entry);
    if (break_it(mine)) return outcome;
  }
}

// False: this meeting has ended, or another thread has broken the barrier.
bool Barrier::break_it(std::uint64_t mine) noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if (meeting(state) != mine || (state & kBroken) != 0) return false;
  } while (!state_.compare_exchange_weak(state, state | kBroken, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  // Those whose own event is set wake up by themselves, all at once.
  using Choice = detail::ParkingLot::Choice;
  const auto choose = [](detail::ParkingEntry& entry) {
    return static_cast<Entry&>(entry).is_stopped() || TG_PLANTED(barrier_breaks_in_silence) ? Choice::skip
                                                                                            : Choice::serve;
  };
  detail::ParkingLot::instance().release(
      key_of(this), choose, [](detail::ParkingEntry&) {}, [](bool) {});
  return true;
}

std::string Barrier::text() const {
  return "a barrier where " + std::to_string(arrived(state_.load(std::memory_order_relaxed))) + " of " +
         std::to_string(threads_) + " have arrived";
}

void Barrier::check_destruction() const noexcept {
  if (detail::has_waiters(key_of(this))) detail::report_use_after_destruction("a tg::Barrier");
}

}  // namespace v0
}  // namespace tg
