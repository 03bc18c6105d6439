// SPDX-License-Identifier: Apache-2.0
// What a loop does that waits for another processor for some nanoseconds.
#pragma once

namespace tg::detail {

/// Tells the processor that this is such a loop.
inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace tg::detail
