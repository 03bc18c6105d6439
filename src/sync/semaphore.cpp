// SPDX-License-Identifier: Apache-2.0
// Waiting for permits, and handing them over.
//
// Invariants
//   Z8. Whenever the lock of its queue is free: if a waiter is in the queue, `kWaitedFor` is set, and the permits
//       are too few for the first waiter that can be claimed, or a flow is about to serve that waiter.
//   Z9. While `kWaitedFor` is set, permits are taken only under that lock. A flow that adds permits without the
//       lock finds the bit set afterwards, and serves the waiters.
#include <threadgroup/semaphore.hpp>

#include <stdexcept>
#include <string>

#include "base/planted.hpp"
#include "runtime/steady_clock.hpp"
#include "sync/sync_note.hpp"

namespace tg {
inline namespace v0 {

namespace {
detail::ParkingKey key_of(const Semaphore* semaphore) noexcept {
  return {semaphore, detail::ParkingQueue::semaphore};
}
}  // namespace

class Semaphore::Entry : public detail::ParkingEntry {
 public:
  Entry(detail::Waiter& waiter, const Semaphore* semaphore, std::ptrdiff_t wanted) noexcept
      : ParkingEntry(waiter, key_of(semaphore)), wanted_(wanted) {}
  static std::ptrdiff_t wanted(const ParkingEntry& entry) noexcept {
    return static_cast<const Entry&>(entry).wanted_;
  }

 private:
  const std::ptrdiff_t wanted_;
};

Semaphore::Semaphore(std::ptrdiff_t permits)
    : state_((check(permits), 2 * static_cast<std::int64_t>(permits))) {}

void Semaphore::throw_bad_count(std::ptrdiff_t permits) {
  throw std::invalid_argument("tg::Semaphore: " + std::to_string(permits) +
                              " permits; the number is at least 0, and at most " + std::to_string(max()));
}

WaitOutcome Semaphore::acquire(std::ptrdiff_t permits, Duration timeout) {
  check(permits);
  detail::Event* const event = detail::event_of_caller();
  if (detail::is_set(event)) return WaitOutcome::event_set;
  // The exchange waits for earlier stores. So this path saves no register on the stack: the rest is a tail call.
  return try_take(permits) ? WaitOutcome::ready : acquire_slow(permits, event, timeout);
}

WaitOutcome Semaphore::acquire_slow(std::ptrdiff_t permits, detail::Event* event, Duration timeout) {
  if (try_again_in_child(permits)) return WaitOutcome::ready;
  return timeout > Duration() ? wait(permits, event, timeout) : WaitOutcome::timed_out;
}

// Returns whether this is a forked child.
bool Semaphore::forget_parents_waiters() noexcept {
  if (!detail::may_be_inherited()) return false;
  add_and_serve(0, Touch::always);
  return true;
}

// Under the parking lot's lock. False: the caller must wait, and `kWaitedFor` is set.
bool Semaphore::take_or_announce(std::ptrdiff_t permits) noexcept {
  std::int64_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool take = (state & kWaitedFor) == 0 && state >= 2 * permits;
    const std::int64_t after = take ? state - 2 * permits : state | kWaitedFor;
    if (state_.compare_exchange_weak(state, after, std::memory_order_acquire, std::memory_order_relaxed))
      return take;
  }
}

WaitOutcome Semaphore::wait(std::ptrdiff_t permits, detail::Event* event, Duration timeout) {
  detail::ParkingLot& lot = detail::ParkingLot::instance();
  const TimePoint deadline = runtime::after(timeout);
  detail::Waiter waiter(runtime::Flow::current());
  Entry entry(waiter, this, permits);
  if (!lot.link(entry, [&] { return !take_or_announce(permits); })) return WaitOutcome::ready;
  forget_parents_waiters();
  const detail::SyncNote note(
      this, "permits of a semaphore", [](const detail::WaitNote& text) -> std::string {
        return "a semaphore that has " +
               std::to_string(detail::SyncNote::primitive<Semaphore>(text).available()) + " permits";
      });
  const WaitOutcome outcome = waiter.wait(event, deadline);
  if (outcome == WaitOutcome::ready) return outcome;
  lot.unlink(entry);
  if (!TG_PLANTED(semaphore_leaver_serves_no_one))
    add_and_serve(0, Touch::always);  // Z8: the waiters behind may want fewer
  return outcome;
}

void Semaphore::release_slow(std::ptrdiff_t permits) {
  check(permits);
  std::int64_t state = state_.load(std::memory_order_relaxed);
  do {
    if (state / 2 > max() - permits) {
      throw std::overflow_error("tg::Semaphore::release: there are " + std::to_string(state / 2) +
                                " permits, and " + std::to_string(permits) + " more would exceed the most, " +
                                std::to_string(max()));
    }
    if ((state & kWaitedFor) != 0) return add_and_serve(permits, Touch::always);
  } while (!state_.compare_exchange_weak(state, state + 2 * permits, std::memory_order_release,
                                         std::memory_order_relaxed));
}

// The permits are added already. Another flow may have handed them to a waiter since, and that waiter may have
// destroyed the semaphore. Its queue, in the parking lot, can still be searched.
void Semaphore::serve_waiters() noexcept {
  if (TG_PLANTED(semaphore_adder_serves_no_one)) return;
  add_and_serve(0, TG_PLANTED(semaphore_adder_comes_late) ? Touch::always : Touch::while_waited_for);
}

void Semaphore::add_and_serve(std::ptrdiff_t permits, Touch touch) noexcept {
  using Choice = detail::ParkingLot::Choice;
  std::ptrdiff_t served = 0;
  detail::ParkingLot::instance().release(
      key_of(this),
      [&](const detail::ParkingEntry& entry) {
        touch = Touch::always;  // a waiter is in the queue, so the semaphore exists
        const std::ptrdiff_t left = available() + permits - served;  // Z9: at least so many
        return Entry::wanted(entry) <= left ? Choice::serve : Choice::end;
      },
      [&](const detail::ParkingEntry& entry) { served += Entry::wanted(entry); },
      [&](bool more) {
        if (touch != Touch::always) return;
        std::int64_t state = state_.load(std::memory_order_relaxed);
        std::int64_t after = 0;
        do {
          after = state + 2 * (permits - served);
          if (!more || TG_PLANTED(semaphore_forgets_others)) after &= ~kWaitedFor;
          // `acquire`: a waiter served here may get permits that another flow has added.
        } while (!state_.compare_exchange_weak(
            state, after, TG_ORDER(acq_rel, semaphore_handing_on_is_not_ordered, release),
            std::memory_order_relaxed));
      });
}

void Semaphore::check_destruction() const noexcept {
  if (detail::has_waiters(key_of(this))) detail::report_use_after_destruction("a tg::Semaphore");
}

}  // namespace v0
}  // namespace tg
