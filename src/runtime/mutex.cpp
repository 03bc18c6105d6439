// SPDX-License-Identifier: Apache-2.0
// The slow paths of the lock: when another flow holds it, and when others wait for it.
#include <threadgroup/detail/mutex.hpp>

#include <threadgroup/duration.hpp>

#include "base/planted.hpp"
#include "base/spin.hpp"
#include "runtime/engine.hpp"
#include "runtime/futex.hpp"

namespace tg::inline v0::detail {

namespace {
// Most holders release it within some tens of nanoseconds. But a flow that looks at the lock takes its line
// away from those who use it again and again, which costs them as much as ten uses. So it looks seldom, about
// once in a microsecond, and then sleeps: a flow that holds it that long has been
// preempted, or walks through a large forest.
constexpr int kLooks = runtime::kIsExplored ? 0 : 8;
constexpr int kPausesBetween = 64;
}  // namespace

void Mutex::lock_slow() {
  for (int look = 0; look < kLooks; ++look) {
    for (int i = 0; i < kPausesBetween; ++i) relax();
    std::uint32_t expected = kFree;
    if (state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed))
      return;
  }
  // A flow that has waited takes the lock as contended: it cannot know whether it was the only waiter, and a
  // needless wake-up is cheaper than a lost one.
  while (state_.exchange(kContended, TG_ORDER(acquire, mutex_waiter_sees_nothing, relaxed)) != kFree) {
    // In the system, also for a flow of an engine: its flows switch only while they hold no lock, so the
    // holder is on another thread.
    runtime::futex_wait(state_, kContended, TimePoint::never());
    std::uint32_t free = kFree;
    if (TG_PLANTED(mutex_waiter_forgets_others) && state_.compare_exchange_strong(free, kHeld)) return;
  }
}

#if defined(TG_SIMULATION)
void LockSteps::approach() noexcept {
  if (auto* const engine = runtime::Engine::of_caller()) engine->approach_lock();
}
void LockSteps::count(int change) noexcept {
  if (auto* const engine = runtime::Engine::of_caller()) engine->count_lock(change);
}
#endif

void Mutex::wake_one() {
  if (!TG_PLANTED(mutex_unlock_wakes_no_one)) runtime::futex_wake(state_, 1);
}

}  // namespace tg::inline v0::detail
