// SPDX-License-Identifier: Apache-2.0
// The queue before a rate limiter.
#include <threadgroup/rate_limiter.hpp>

#include "runtime/steady_clock.hpp"

#include "explorations/explore.hpp"

namespace tg::test {
namespace limiter_exploration {
namespace {

// Each token comes after a millisecond. The second waits for less than that: it may leave the queue while it is
// the first, while it becomes the first, and while it waits for that.
TG_EXPLORATION(LimiterExploration, waiters_come_and_go) {
  RateLimiter limiter(1000, 1);
  int served = 0;
  const TimePoint begin = runtime::now();
  const auto acquire = [&](Duration timeout) {
    if (limiter.acquire(1, timeout) != WaitOutcome::ready) return;
    require(runtime::now() >= begin + Duration::from_nanos(served * 1'000'000), "no token comes early");
    ++served;
  };
  together({{"first", [&] { acquire(Duration::max()); }},
            {"second", [&] { acquire(Duration::from_nanos(1'500'000)); }},
            {"third", [&] { acquire(Duration::max()); }}});
  require(served >= 2, "those without a time-out are served");
  while (served < 3) acquire(Duration::max());
}
TG_FINDS(LimiterExploration, waiters_come_and_go, limiter_leaves_no_next, 10)
}  // namespace
}  // namespace limiter_exploration
}  // namespace tg::test
