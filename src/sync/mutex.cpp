// SPDX-License-Identifier: Apache-2.0
// The slow paths of the lock: when it is held, and when others wait for it.
//
// Invariants
//   Z5. While the parking lot has a waiter that no flow has woken, the lock is held or a woken waiter is on its
//       way to it. The next holder sees `kParked` when it unlocks.
//   Z6. A waiter sets `kParked` while the lock is held, and is linked only if both bits are still set then.
//       `unlock` takes a waiter out and changes these bits in one critical section of the parking lot.
//   Z7. A woken waiter that leaves without the lock clears `kWoken` while another flow holds the lock, which
//       then wakes the next waiter.
#include <threadgroup/mutex.hpp>

#include <chrono>
#include <string>
#include <system_error>

#include "base/planted.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/wait_briefly.hpp"
#include "sync/patience.hpp"
#include "sync/sync_note.hpp"

namespace tg {
inline namespace v0 {

namespace {
detail::ParkingKey key_of(const Mutex* mutex) noexcept { return {mutex, detail::ParkingQueue::mutex}; }
}  // namespace

class Mutex::Entry : public detail::ParkingEntry {
 public:
  Entry(detail::Waiter& waiter, const Mutex* mutex, TimePoint since) noexcept
      : ParkingEntry(waiter, key_of(mutex)), since_(since) {}

  // Called by the flow that unlocks, under the parking lot's lock; the waiter then reads the decision.
  bool decide(TimePoint now) noexcept { return is_handed_over_ = now - since_ >= detail::kPatience; }
  bool is_handed_over() const noexcept { return is_handed_over_; }

 private:
  const TimePoint since_;  // when its flow began to wait
  bool is_handed_over_ = false;
};

void Mutex::lock_slow() { static_cast<void>(wait(nullptr, TimePoint::never())); }

bool Mutex::try_lock_slow() noexcept {
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  while ((state & kHeld) == 0) {
    if (state_.compare_exchange_weak(state, state | kHeld, std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return true;
  }
  return false;
}

WaitOutcome Mutex::event_aware_lock(Duration timeout) {
  detail::Event* const event = detail::event_of_caller();
  if (detail::is_set(event)) return WaitOutcome::event_set;
  if (try_lock()) return WaitOutcome::ready;
  if (timeout <= Duration()) return WaitOutcome::timed_out;
  return wait(event, runtime::after(timeout));
}

WaitOutcome Mutex::wait(detail::Event* event, TimePoint deadline) {
  detail::ParkingLot& lot = detail::ParkingLot::instance();
  runtime::Flow& me = runtime::Flow::current();
  const detail::SyncNote note(this, "a mutex");
  TimePoint since = TimePoint::never();  // it has not waited yet
  bool woken = false;                    // `kWoken` is set for this flow
  for (;;) {
    // Most holders release the lock soon. If others wait, they come first.
    if (woken || (state_.load(std::memory_order_relaxed) & kParked) == 0)
      runtime::wait_briefly([this] { return (state_.load(std::memory_order_relaxed) & kHeld) == 0; });

    std::uint32_t state = state_.load(std::memory_order_relaxed);
    const std::uint32_t others = woken ? ~kWoken : ~std::uint32_t{0};
    if ((state & kHeld) == 0) {
      if (state_.compare_exchange_strong(state, (state | kHeld) & others, std::memory_order_acquire,
                                         std::memory_order_relaxed))
        return WaitOutcome::ready;
      continue;
    }
    const bool stopped = detail::is_set(event);
    if (stopped || (!deadline.is_never() && runtime::now() >= deadline)) {
      const WaitOutcome outcome = stopped ? WaitOutcome::event_set : WaitOutcome::timed_out;
      if (!woken || TG_PLANTED(sync_mutex_stopped_one_stays_woken)) return outcome;
      if (state_.compare_exchange_strong(state, state & others, std::memory_order_relaxed))
        return outcome;  // Z7
      continue;
    }
    if (!state_.compare_exchange_strong(state, (state | kParked) & others, std::memory_order_relaxed))
      continue;
    woken = false;

    const bool is_first_time = since.is_never();
    if (is_first_time) since = runtime::now();
    detail::Waiter waiter(me);
    Entry entry(waiter, this, since);
    const auto must_wait = [this] {
      constexpr std::uint32_t kBoth = kHeld | kParked;
      return (state_.load(std::memory_order_relaxed) & kBoth) == kBoth ||
             TG_PLANTED(sync_mutex_links_without_look);
    };
    using Where = detail::ParkingLot::Where;
    if (!lot.link(entry, must_wait, is_first_time ? Where::back : Where::front)) continue;  // Z6
    const WaitOutcome outcome = waiter.wait(event, deadline);
    if (outcome != WaitOutcome::ready) {
      lot.unlink(entry);
      return outcome;  // `kParked` may be left: the next `unlock` clears it
    }
    if (entry.is_handed_over()) return WaitOutcome::ready;
    woken = true;
  }
}

void Mutex::unlock_slow() {
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((state & kHeld) == 0) {
      throw std::system_error(
          std::make_error_code(std::errc::operation_not_permitted),
          "tg::Mutex::unlock: it is not locked; only the thread that locked it unlocks it");
    }
    // In a forked child `kWoken` may be that of a waiter of the parent. A second wake-up does no harm.
    if ((state & kParked) != 0 && ((state & kWoken) == 0 || detail::may_be_inherited())) break;
    if (state_.compare_exchange_weak(state, state & ~kHeld, std::memory_order_release,
                                     std::memory_order_relaxed))
      return;
  }
  const TimePoint now = runtime::now();
  detail::ParkingLot::instance().release_one(key_of(this), [&](detail::ParkingEntry* served, bool more) {
    const bool hand_over = served != nullptr && static_cast<Entry*>(served)->decide(now);
    std::uint32_t after = 0;
    state = state_.load(std::memory_order_relaxed);
    do {
      after = state & ~(kParked | kHeld);
      // If none could be served, the remaining waiters are about to leave.
      if (served != nullptr && more && !TG_PLANTED(sync_mutex_forgets_others)) after |= kParked;
      if (hand_over) after |= kHeld;
      if (served != nullptr && !hand_over) after |= kWoken;
    } while (
        !state_.compare_exchange_weak(state, after, std::memory_order_release, std::memory_order_relaxed));
  });
}

void Mutex::check_destruction() const noexcept {
  if (state_.load(std::memory_order_relaxed) == kWoken && detail::may_be_inherited()) return;
  detail::report_use_after_destruction("a tg::Mutex");
}

}  // namespace v0
}  // namespace tg
