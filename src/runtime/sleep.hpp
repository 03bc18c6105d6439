// SPDX-License-Identifier: Apache-2.0
// How a flow sleeps on a word of memory.
#pragma once

#include <atomic>
#include <cstdint>

#include <threadgroup/base/duration.hpp>
#include <threadgroup/runtime/threads.hpp>

#include "runtime/futex.hpp"

namespace tg::runtime {

/// Sleeps for a limited time, and meanwhile asks the system for threads for the jobs that wait for one.
void sleep_and_ask_for_threads(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                               TimePoint deadline) noexcept;

/// Sleeps while `word` holds `expected`, until the deadline. May return early; the caller checks again.
inline void sleep_on(std::atomic<std::uint32_t>& word, std::uint32_t expected, TimePoint deadline) noexcept {
  if (ThreadCache::is_short_of_threads()) [[unlikely]]
    return sleep_and_ask_for_threads(word, expected, deadline);
  futex_wait(word, expected, deadline);
}

}  // namespace tg::runtime
