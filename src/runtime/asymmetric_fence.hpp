// SPDX-License-Identifier: Apache-2.0
// A pair of fences for protocols in which one side runs often and the other one rarely.
#pragma once

#include <atomic>

#include <threadgroup/detail/atomic.hpp>

namespace tg::inline v0::runtime {

/// The fence of the side that runs often. It costs no instruction: it only keeps the compiler from moving
/// loads and stores across it.
///
/// Together with a `heavy_fence` it orders as if both were sequentially consistent: of two flows, one of
/// which stores x, calls this one and loads y, while the other one stores y, calls `heavy_fence` and loads
/// x, at least one finds what the other one stored.
inline void light_fence() noexcept {
#if defined(TG_SIMULATION)
  tg::detail::fence(tg::detail::Access::light_fence);
#endif
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// The fence of the side that runs rarely: it makes all running threads of the process execute a fence, which
/// takes a system call and some microseconds. If the system refuses a call that it had permitted, because the
/// process has entered a sandbox, this waits for a millisecond, and `has_heavy_fence` is false from then on.
void heavy_fence() noexcept;

// Atomic: any thread may find out that the system refuses the call from now on.
extern constinit tg::detail::Atomic<bool> heavy_fence_is_permitted;

/// Whether the system can do that. If not, the side that runs often uses a lock, or a sequentially consistent exchange.
inline bool has_heavy_fence() noexcept { return heavy_fence_is_permitted.load(std::memory_order_relaxed); }

}  // namespace tg::inline v0::runtime
