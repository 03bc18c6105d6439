// SPDX-License-Identifier: Apache-2.0
// Knows whether the process was forked since an object was made.
#pragma once

#include <atomic>
#include <cstdint>

namespace tg::runtime {

namespace detail {
extern std::atomic<std::uint32_t>
    fork_generation_counter;  // atomic: read by all, written only in a fresh child
}

/// A number that is another one in a forked child. It counts the forks that the library has seen on the way
/// here.
inline std::uint32_t fork_generation() noexcept {
  return detail::fork_generation_counter.load(std::memory_order_relaxed);
}

/// Calls the three functions around every fork: the first before it, the others after it in the parent and
/// the child. A component takes its locks in the first, so that the child inherits them free and its data
/// whole.
void at_fork(void (*prepare)(), void (*parent)(), void (*child)());

}  // namespace tg::runtime
