// SPDX-License-Identifier: Apache-2.0
// What a loop does that waits for another processor for some nanoseconds.
#pragma once

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// Tells the processor that this is such a loop.
inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // `yield` takes no time on most of them
#else
  asm volatile("" ::: "memory");
#endif
}

/// Waits by spinning until `done()`, but for about 2 us at most: less than it costs to sleep and be woken.
template <class Done>
void spin_briefly(Done done) noexcept {
#if defined(TG_SIMULATION)
  if (!done()) yield();
#else
  for (int i = 0; i < 100 && !done(); ++i) relax();
#endif
}

}  // namespace tg::inline v0::detail
