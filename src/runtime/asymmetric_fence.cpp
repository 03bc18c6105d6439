// SPDX-License-Identifier: Apache-2.0
// The fence that the system executes on behalf of other threads.
#include "runtime/asymmetric_fence.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

#include "base/fence.hpp"
#include "base/spin.hpp"
#include "runtime/engine.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

constinit tg::detail::Atomic<bool> heavy_fence_is_permitted{false};

namespace {

bool call(int command) noexcept {
  if constexpr (kIsExplored) return true;  // see `heavy_fence`
  return ::syscall(SYS_membarrier, command, 0, 0) == 0;
}

// Atomic: read by any thread. Whether the registration has succeeded. If it has not, no flow ever relied on the light fence,
// and `heavy_fence` need not wait.
constinit tg::detail::Atomic<bool> was_permitted{false};

// As the library is loaded, and again in a forked child: with many threads, the system would take
// milliseconds for it.
void register_process() noexcept {
  const bool permitted = call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  was_permitted.store(permitted, std::memory_order_relaxed);
  heavy_fence_is_permitted.store(permitted, std::memory_order_relaxed);
}

[[gnu::constructor(at_load::kHeavyFence)]] void fence_at_load() {
  register_process();
  at_fork(nullptr, nullptr, [] { register_process(); });
}

// A processor holds stores back for less than a microsecond, and a thread that is interrupted executes a
// fence: A. Morrison and Y. Afek, "Temporally Bounding TSO for Fence-Free Asymmetric Synchronization" (2015).
constexpr Duration kStoresArrive = Duration::from_nanos(1'000'000);

void wait_for_stores() noexcept {
  const TimePoint end = now() + kStoresArrive;
  while (now() < end) tg::detail::relax();
}

}  // namespace

void heavy_fence() noexcept {
#if defined(TG_SIMULATION)
  tg::detail::fence(tg::detail::Access::heavy_fence);
#endif
  if (call(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return;
  heavy_fence_is_permitted.store(false, std::memory_order_relaxed);  // the process has entered a sandbox
  tg::detail::full_fence();
  if (was_permitted.load(std::memory_order_relaxed)) wait_for_stores();
}

}  // namespace tg::inline v0::runtime
