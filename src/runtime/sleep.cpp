// SPDX-License-Identifier: Apache-2.0
// Sleeping while there are jobs that wait for a thread.
#include "runtime/sleep.hpp"

#include <algorithm>

namespace tg::inline v0::runtime {

void sleep_and_ask_for_threads(tg::detail::Atomic<std::uint32_t>& word, std::uint32_t expected,
                               TimePoint deadline) noexcept {
  ThreadCache& cache = ThreadCache::instance();
  if (!cache.begin_asking()) return sleep_until(word, expected, deadline);
  // Once no job waits for a thread, the caller looks again and goes to sleep in the usual way.
  for (;;) {
    const TimePoint ask_at = cache.ask_again();
    if (ask_at.is_never() || word.load(std::memory_order_relaxed) != expected) break;
    sleep_until(word, expected, std::min(ask_at, deadline));
    if (deadline <= ask_at || word.load(std::memory_order_relaxed) != expected) break;
  }
  cache.end_asking();
}

}  // namespace tg::inline v0::runtime
