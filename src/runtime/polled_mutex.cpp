// SPDX-License-Identifier: Apache-2.0
// How a flow waits for the lock.
#include "runtime/polled_mutex.hpp"

#include <ctime>

#include <threadgroup/duration.hpp>

#include "base/spin.hpp"
#include "runtime/engine.hpp"
#include "runtime/futex.hpp"
#include "runtime/own_calls.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

namespace {
// As in the slow path of `Mutex`: a flow that looks takes the cache line away from the holder.
constexpr int kLooks = kIsExplored ? 0 : 8;
constexpr int kPausesBetween = 64;
// After the looks: the holder has most likely been preempted.
constexpr std::int64_t kSleepNanos = 50'000;
}  // namespace

void PolledMutex::lock_slow() noexcept {
  for (int look = 0; look < kLooks; ++look) {
    for (int i = 0; i < kPausesBetween; ++i) tg::detail::relax();
    if (held_.load(std::memory_order_relaxed) == 0 && try_take()) return;
  }
  do {
    if constexpr (kIsExplored) {
      futex_wait(held_, 1, after(Duration::from_nanos(kSleepNanos)));  // a sleep; nothing wakes it
    } else {
      // In the system, also for a flow of an engine: as in `Mutex`, the holder is on another thread.
      const timespec pause{0, kSleepNanos};
      own::nanosleep(&pause);
    }
    if (TG_PLANTED(polled_mutex_trusts_its_sleep)) return;
  } while (held_.load(std::memory_order_relaxed) != 0 || !try_take());
}

}  // namespace tg::inline v0::runtime
