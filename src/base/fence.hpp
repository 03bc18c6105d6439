// SPDX-License-Identifier: Apache-2.0
// A fence that ThreadSanitizer lets pass.
#pragma once

#include <atomic>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// A sequentially consistent fence. g++ warns that ThreadSanitizer does not see what it orders; it is used
/// only between atomics that publish nothing by it.
inline void full_fence() noexcept {
#if defined(TG_SIMULATION)
  fence(Access::full_fence);
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
  std::atomic_thread_fence(std::memory_order_seq_cst);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

}  // namespace tg::inline v0::detail
