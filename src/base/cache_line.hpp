// SPDX-License-Identifier: Apache-2.0
// What processors pass to one another at a time.
#pragma once

#include <cstddef>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// In bytes. A constant of our own, for the standard's changes with the compiler's options, and with it would
/// the layout of what two libraries share.
constexpr std::size_t kCacheLine = 64;

/// Has the line fetched, to be written soon.
inline void prefetch_for_write(const void* address) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

}  // namespace tg::inline v0::detail
