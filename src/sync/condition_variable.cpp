// SPDX-License-Identifier: Apache-2.0
// Waiting with the caller's lock released, and waking.
#include <threadgroup/condition_variable.hpp>

#include <string>

#include "base/planted.hpp"
#include "runtime/steady_clock.hpp"
#include "sync/sync_note.hpp"

namespace tg {
inline namespace v0 {

namespace {
detail::ParkingKey key_of(const ConditionVariable* condition) noexcept {
  return {condition, detail::ParkingQueue::condition};
}
}  // namespace

WaitOutcome ConditionVariable::wait_for(FunctionRef<void()> lock, FunctionRef<void()> unlock,
                                        FunctionRef<bool()> predicate, Duration timeout) {
  if (predicate()) return WaitOutcome::ready;
  detail::ParkingLot& lot = detail::ParkingLot::instance();
  runtime::Flow& me = runtime::Flow::current();
  detail::Event* const event = detail::event_of_caller();
  const TimePoint deadline = runtime::after(timeout);
  do {
    if (detail::is_set(event)) return WaitOutcome::event_set;
    if (!deadline.is_never() && runtime::now() >= deadline) return WaitOutcome::timed_out;

    detail::Waiter waiter(me);
    detail::ParkingEntry entry(waiter, key_of(this));
    const auto link = [&] {
      lot.link(entry, [this] {
        waited_for_.store(true, std::memory_order_seq_cst);
        return true;
      });
    };
    // While the lock is held, so that a flow that takes it next and notifies finds the entry.
    if (!TG_PLANTED(condition_waiter_unlocks_too_early)) link();
    try {
      unlock();
    } catch (...) {
      if (!waiter.withdraw()) notify_one();  // it consumed a notification: pass it on
      lot.unlink(entry);
      throw;
    }
    if (TG_PLANTED(condition_waiter_unlocks_too_early)) link();
    bool is_notified = false;
    {
      const detail::SyncNote note(this, "a condition variable");
      is_notified = waiter.wait(event, deadline) == WaitOutcome::ready;
      if (!is_notified) lot.unlink(entry);
    }
    try {
      lock();
    } catch (...) {
      if (is_notified) notify_one();  // it looks at no predicate: pass the notification on
      throw;
    }
  } while (!predicate());
  return WaitOutcome::ready;
}

void ConditionVariable::wake_one() noexcept {
  detail::ParkingLot::instance().release_one(key_of(this), [this](detail::ParkingEntry*, bool more) {
    if (!more || TG_PLANTED(condition_forgets_others)) waited_for_.store(false, std::memory_order_relaxed);
  });
}

void ConditionVariable::wake_all() noexcept {
  using detail::ParkingEntry;
  using Choice = detail::ParkingLot::Choice;
  detail::ParkingLot::instance().release(
      key_of(this), [](ParkingEntry&) { return Choice::serve; }, [](ParkingEntry&) {},
      [this](bool more) {
        if (!more) waited_for_.store(false, std::memory_order_relaxed);
      });
}

void ConditionVariable::check_destruction() const noexcept {
  if (detail::has_waiters(key_of(this))) detail::report_use_after_destruction("a tg::ConditionVariable");
}

}  // namespace v0
}  // namespace tg
