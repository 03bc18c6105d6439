// SPDX-License-Identifier: Apache-2.0
// What is rare: sleeping while there are jobs that wait for a thread, and asking what the system can do.
#include "runtime/sleep.hpp"

#include <algorithm>

#include "runtime/faults.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

#if defined(TG_SIMULATION)
namespace {
[[gnu::constructor]] void register_fault() {
  Engine::at_restart([] { faults::explores_two_words = false; });
}
}  // namespace
#endif

namespace {
constexpr int kUnknown = -1;
// Atomic: looked up by any flow that asks first.
constinit tg::detail::Atomic<int> waits_for_two_words{kUnknown};
constexpr Duration kBetweenTries = Duration::from_nanos(10'000'000);
}  // namespace

bool can_sleep_on_two_words() noexcept {
#if defined(TG_SIMULATION)
  return faults::explores_two_words;
#else
  if (Engine::of_caller() != nullptr || faults::has_no_wait_for_two_words.load(std::memory_order_relaxed))
    return false;
  int can = waits_for_two_words.load(std::memory_order_relaxed);
  if (can == kUnknown) [[unlikely]]
    waits_for_two_words.store(can = system_waits_for_two_words() ? 1 : 0, std::memory_order_relaxed);
  return can != 0;
#endif
}

void sleep_though_refused(const SleepWord& first, TimePoint deadline) noexcept {
  waits_for_two_words.store(0, std::memory_order_relaxed);
  futex_wait(first.word, first.expected, std::min(deadline, runtime::after(kBetweenTries)));
}

void sleep_and_ask_for_threads(const SleepWord& first, const SleepWord* second, TimePoint deadline) noexcept {
  const auto both_hold = [&] { return first.holds() && (second == nullptr || second->holds()); };
  ThreadCache& cache = ThreadCache::instance();
  if (!cache.begin_asking()) return sleep_until(first, second, deadline);
  // Once no job waits for a thread, the caller looks again and goes to sleep in the usual way.
  for (;;) {
    const TimePoint ask_at = cache.ask_again();
    if (ask_at.is_never() || !both_hold()) break;
    sleep_until(first, second, std::min(ask_at, deadline));
    if (deadline <= ask_at || !both_hold()) break;
  }
  cache.end_asking();
}

}  // namespace tg::inline v0::runtime
