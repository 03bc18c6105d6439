// SPDX-License-Identifier: Apache-2.0
// A limit on how often something may happen.
#pragma once

#include <cstdint>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

/// A token bucket: it holds up to `burst` tokens, is full at first, and gets `per_second` new tokens each second.
/// Its waits can be stopped.
///
///     tg::RateLimiter limiter(100, 10);  // 100 requests a second, 10 of them at once
///     while (limiter.acquire() == tg::WaitOutcome::ready) send_request();
///
/// It needs no thread and no timer: it keeps the time at which the bucket is full again, as the generic cell
/// rate algorithm does (ITU-T I.371, annex A), and a waiter sleeps until its tokens are there.
///
/// Guarantees: callers are served first come, first served, even one that wants many tokens ahead of others that
/// want few. A call that does not return `ready` has taken nothing, and the callers behind it move up.
/// Thread safety: everything from any thread. A task that waits keeps its slot.
/// Lifetime: no thread waits when it is destroyed; that is reported on stderr, and fails a simulation. In a forked child an inherited one throws `ForkedError`.
class TG_EXPORT RateLimiter {
 public:
  /// Throws `std::invalid_argument` unless both are finite and greater than zero.
  RateLimiter(double per_second, double burst);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;
  ~RateLimiter();

  /// Takes `tokens` as soon as they are there and all earlier callers are served. Returns `ready`;
  /// `event_set` if the caller is stopped, even if the tokens are there; or `timed_out`. The last one
  /// comes early if the caller is the first in the queue and its tokens would not be there in time.
  ///
  /// Throws `std::invalid_argument` if `tokens` is negative, not a number, or more than `burst`.
  WaitOutcome acquire(double tokens = 1, Duration timeout = Duration::max());

  /// Takes `tokens` if they are there and no caller waits. Throws as `acquire` does.
  bool try_acquire(double tokens = 1);

 private:
  struct Waiter;
  TG_LOCAL void check(double tokens, const char* call) const;
  TG_LOCAL double cost_of(double tokens) const noexcept;
  TG_LOCAL TimePoint ready_at_locked(double tokens) const noexcept TG_REQUIRES(mutex_);
  TG_LOCAL bool try_take_locked(double tokens) noexcept TG_REQUIRES(mutex_);
  TG_LOCAL WaitOutcome wait(Waiter& me, double tokens, TimePoint deadline);
  TG_LOCAL void leave(Waiter& me, double taken) noexcept;

  const double per_second_;
  const double burst_;
  const TimePoint begin_;
  const std::uint32_t generation_;  // of forks, in the process that made it

  detail::Mutex mutex_;
  double full_at_ TG_GUARDED_BY(mutex_) = 0;  // when the bucket is full again, in nanoseconds since `begin_`
  Waiter* first_ TG_GUARDED_BY(mutex_) = nullptr;
  Waiter* last_ TG_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace v0
}  // namespace tg
