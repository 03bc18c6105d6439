// SPDX-License-Identifier: Apache-2.0
// Waiting for a permit, and changing how many there are.
#include "abandon/call_bound.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "base/planted.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "tree/forest.hpp"
#include "tree/still_running.hpp"

namespace tg::inline v0::detail {

constinit CallBound CallBound::only_;

namespace {
[[gnu::constructor(runtime::at_load::kLeaves)]] void hold_call_bound() { CallBound::hold_across_forks(); }
}  // namespace

void CallBound::hold_across_forks() {
  // A child keeps the bound that the program has chosen. An exploration begins with the default.
  const auto forget = []() TG_NO_THREAD_SAFETY_ANALYSIS {
    only_.forget_all(runtime::kIsExplored ? kMost : only_.most_);
  };
  runtime::hold_across_forks([]() -> Mutex& { return only_.mutex_; }, forget);
  using runtime::Engine;
  Engine::register_part(Engine::Part::calls, {[]() -> void* { return new CallBound; },
                                              [](void* part) noexcept {
                                                auto& bound = *static_cast<CallBound*>(part);
                                                bound.forget_all(kMost);
                                              }});
}

// In a forked child, where the calls and those who wait are the parent's; and before an engine begins again.
void CallBound::forget_all(std::size_t most) noexcept
    TG_NO_THREAD_SAFETY_ANALYSIS {  // no other flow is there
  most_ = most;
  abandoned_.store(0, std::memory_order_relaxed);
  has_reported_.store(false, std::memory_order_relaxed);
  ::new (&permits_) Permits(most);
}

ReasonPointer CallBound::take(Event& of_caller) {
  if (TG_PLANTED(abandon_waiter_looks_too_early)) report_if_none_ends();
  Permits::Waiter waiter(runtime::Flow::current());
  if (permits_.take_or_wait(waiter)) return {};
  // Now that it is in the queue: a caller that abandons a call counts it, and then looks there.
  if (!TG_PLANTED(abandon_waiter_looks_too_early)) report_if_none_ends();
  const WaitNote note("another abandonable call to end (set_max_abandonable_calls)");
  const WatchedEvents events{&of_caller, nullptr};
  const WaitOutcome outcome = wait_unparked(  // by the flow that gives a permit back
      [&] { return permits_.take_or_wait(waiter); }, events, TimePoint::never());
  if (outcome == WaitOutcome::ready) return {};
  if (permits_.withdraw(waiter) && !TG_PLANTED(abandon_leaver_keeps_its_permit)) give_back();
  return of_caller.reason();
}

void CallBound::set_most(std::size_t most) noexcept {
  most = std::min(most, kUnbounded);
  std::size_t before = 0;
  {
    const MutexLock lock(mutex_);
    before = std::exchange(most_, most);
  }
  permits_.change_count(static_cast<std::ptrdiff_t>(most) - static_cast<std::ptrdiff_t>(before));
  report_if_none_ends();  // a lower bound may have revoked promises
}

void CallBound::give_back() noexcept {
  permits_.give_back();
  report_if_none_ends();
}

// A permit that is promised counts as taken: its waiter is about to make a call, which ends.
void CallBound::report_if_none_ends() noexcept try {
  if (has_reported_.load(std::memory_order_relaxed)) return;
  const std::ptrdiff_t abandoned = abandoned_.load(std::memory_order_relaxed);
  const Permits::Load load = permits_.load();
  if (load.waiting == 0 || abandoned < static_cast<std::ptrdiff_t>(load.taken)) return;
  const ForestSnapshot snapshot = Forest::instance().snapshot();
  if (snapshot.abandoned().size() < load.taken) return;  // one has ended, and a waiter gets its permit
  if (has_reported_.exchange(true, std::memory_order_relaxed)) return;
  report_abandoned("abandonable calls wait for others to end (set_max_abandonable_calls)", snapshot);
} catch (const std::bad_alloc&) {  // without a report
}

}  // namespace tg::inline v0::detail
