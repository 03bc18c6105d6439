// SPDX-License-Identifier: Apache-2.0
// Whether to try again, and when.
#include <threadgroup/retry.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::detail {

void check(const RetryOptions& options) {
  if (options.max_tries == 0) throw std::invalid_argument("with_retries: max_tries is 0; give at least 1");
  if (!(options.factor >= 1)) throw std::invalid_argument("with_retries: the factor must be at least 1");
  if (!(options.jitter >= 0 && options.jitter <= 1))
    throw std::invalid_argument("with_retries: the jitter must be from 0 to 1");
}

Duration retry_delay(const RetryOptions& options, std::size_t failed_tries, double chance) {
  const auto first = static_cast<double>(std::max(options.first_delay, Duration()).nanos());
  const auto longest = static_cast<double>(std::max(options.max_delay, Duration()).nanos());
  const double full =
      std::min(longest, first * std::pow(options.factor, static_cast<double>(failed_tries - 1)));
  return std::chrono::duration<double, std::nano>(full * (1 - options.jitter * (1 - chance)));
}

namespace {
constinit Atomic<std::uint64_t> counter{0};  // atomic: any thread may need the next number

// At least 0 and less than 1.
double to_chance(std::uint64_t random) noexcept {
  return static_cast<double>(random >> 11) / 9007199254740992.0;  // 2^53
}
}  // namespace

// The mixing of splitmix64 (S. Vigna) over a counter and the time: good enough to keep callers from trying in
// step, also those in several children of one process.
double random_chance() noexcept {
  if (runtime::Engine* const engine = runtime::Engine::of_caller()) return to_chance(engine->random());
  std::uint64_t z = counter.fetch_add(0x9e3779b97f4a7c15ULL, std::memory_order_relaxed) +
                    static_cast<std::uint64_t>(runtime::now().nanos());
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return to_chance(z ^ (z >> 31));
}

TimePoint retry_deadline(const RetryOptions& options) { return runtime::after(options.time_limit); }

bool wait_for_next_try(const RetryOptions& options, std::size_t failed_tries, TimePoint limit,
                       const std::exception_ptr& failure) {
  if (failed_tries >= options.max_tries) return false;
  if (options.retry_if && !options.retry_if(failure)) return false;
  const Duration delay = retry_delay(options, failed_tries, random_chance());
  if (runtime::after(delay) > limit) return false;  // rather now than after a sleep for nothing
  return thread_utils::event_aware_sleep(delay);
}

}  // namespace tg::inline v0::detail
