// SPDX-License-Identifier: Apache-2.0
// Whether to try again, and when.
#include <threadgroup/retry.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <threadgroup/thread_utils.hpp>

#include "runtime/random.hpp"
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

double random_chance() noexcept { return runtime::to_chance(runtime::random_number()); }

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
