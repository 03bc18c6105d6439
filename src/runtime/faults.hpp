// SPDX-License-Identifier: Apache-2.0
// Faults of the system that tests ask for, because a test cannot use up the threads of a machine.
#pragma once

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::runtime::faults {

// Atomic: tests write it, creators count it down.
inline constinit tg::detail::Atomic<int> threads_to_refuse{0};

/// The next `count` attempts to create a thread fail, as if the system had none left. Only tests call it.
inline void refuse_threads(int count) noexcept { threads_to_refuse.store(count, std::memory_order_relaxed); }

/// Whether this attempt is one of them.
inline bool is_thread_refused() noexcept {
  int left = threads_to_refuse.load(std::memory_order_relaxed);
  while (left > 0 && !threads_to_refuse.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) {
  }
  return left > 0;
}

/// Waits for two words are as on a system that has none. Only tests write it.
inline constinit tg::detail::Atomic<bool> has_no_wait_for_two_words{false};  // atomic: read by all flows

#if defined(TG_SIMULATION)
/// An exploration in which flows sleep on two words. Written at the start of its body.
inline constinit bool explores_two_words = false;
#endif

}  // namespace tg::inline v0::runtime::faults
