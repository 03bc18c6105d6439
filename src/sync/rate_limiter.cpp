// SPDX-License-Identifier: Apache-2.0
// The generic cell rate algorithm, and the queue of callers that wait for tokens.
//
// Invariants
//   Y1. Only the first waiter waits for tokens. It sleeps until they are there, at a time that no other flow can
//       change: all others wait to become the first.
//   Y2. Tokens are taken under the lock, in the same step in which the waiter leaves the queue. So a waiter
//       that leaves for another reason has taken nothing.
#include <threadgroup/rate_limiter.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/fork_generation.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/errors.hpp>

#include "base/planted.hpp"
#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "sync/sync_note.hpp"

namespace tg {
inline namespace v0 {

namespace {
Duration nanos(double count) { return Duration(std::chrono::duration<double, std::nano>(count)); }

bool is_positive(double value) { return std::isfinite(value) && value > 0; }
}  // namespace

/// On the waiter's stack.
struct RateLimiter::Waiter {
  runtime::Flow& flow;
  detail::Atomic<bool> is_first{false};  // atomic: the waiter reads it without the lock
  Waiter* previous = nullptr;            // guarded by the limiter's lock
  Waiter* next = nullptr;                // likewise
};

RateLimiter::RateLimiter(double per_second, double burst)
    : per_second_(per_second),
      burst_(burst),
      begin_(runtime::now()),
      generation_(runtime::fork_generation()) {
  if (!is_positive(per_second) || !is_positive(burst)) {
    throw std::invalid_argument("tg::RateLimiter(" + std::to_string(per_second) + ", " +
                                std::to_string(burst) + "): both must be finite and greater than zero");
  }
}

RateLimiter::~RateLimiter() {
  if (generation_ != runtime::fork_generation()) return;  // the waiters are the parent's
  const auto is_waited_for = [this] {
    const detail::MutexLock lock(mutex_);
    return first_ != nullptr;
  };
  if (is_waited_for()) detail::report_use_after_destruction("a tg::RateLimiter");
}

void RateLimiter::check(double tokens, const char* call) const {
  if (generation_ != runtime::fork_generation()) {
    throw ForkedError(std::string(call) +
                      ": the limiter was made before the fork; make a new one in the child process");
  }
  if (tokens >= 0 && tokens <= burst_) return;
  throw std::invalid_argument(std::string(call) + "(" + std::to_string(tokens) + "): the bucket holds " +
                              std::to_string(burst_) +
                              " tokens, so more can never be there at once; take them in several calls, or "
                              "make the limiter with a greater burst");
}

// The time in nanoseconds in which so many tokens flow in.
double RateLimiter::cost_of(double tokens) const noexcept { return tokens / per_second_ * 1e9; }

TimePoint RateLimiter::ready_at_locked(double tokens) const noexcept {
  return begin_ + nanos(full_at_ - cost_of(burst_ - tokens));
}

bool RateLimiter::try_take_locked(double tokens) noexcept {
  const TimePoint now = runtime::now();
  if (now < ready_at_locked(tokens)) return false;
  full_at_ = std::max(full_at_, static_cast<double>((now - begin_).nanos())) + cost_of(tokens);
  return true;
}

bool RateLimiter::try_acquire(double tokens) {
  check(tokens, "tg::RateLimiter::try_acquire");
  const detail::MutexLock lock(mutex_);
  return first_ == nullptr && try_take_locked(tokens);
}

WaitOutcome RateLimiter::acquire(double tokens, Duration timeout) {
  check(tokens, "tg::RateLimiter::acquire");
  const detail::Event* const event = detail::event_of_caller();
  if (detail::is_set(event)) return WaitOutcome::event_set;
  Waiter me{runtime::Flow::current()};
  {
    const detail::MutexLock lock(mutex_);
    if (first_ == nullptr && try_take_locked(tokens)) return WaitOutcome::ready;
    me.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &me;
    last_ = &me;
    if (first_ == &me) me.is_first.store(true, std::memory_order_relaxed);
  }
  const detail::WaitNote note("tokens of a rate limiter");
  return wait(me, tokens, runtime::after(timeout));
}

WaitOutcome RateLimiter::wait(Waiter& me, double tokens, TimePoint deadline) {
  const detail::WatchedEvents events{detail::event_of_caller(), nullptr};
  // The waiter in front unparks this flow, which keeps the wake-up.
  WaitOutcome outcome =
      detail::wait_unparked([&] { return me.is_first.load(std::memory_order_acquire); }, events, deadline);
  double taken = 0;
  if (outcome == WaitOutcome::ready) {
    TimePoint ready_at;
    {
      const detail::MutexLock lock(mutex_);
      ready_at = ready_at_locked(tokens);  // Y1
    }
    outcome = ready_at > deadline ? WaitOutcome::timed_out : detail::wait(events, ready_at);
    if (ready_at <= deadline && outcome == WaitOutcome::timed_out) {
      outcome = WaitOutcome::ready;
      taken = tokens;
    }
  }
  leave(me, taken);
  return outcome;
}

void RateLimiter::leave(Waiter& me, double taken) noexcept {
  runtime::Flow* next = nullptr;
  {
    const detail::MutexLock lock(mutex_);
    if (taken > 0) try_take_locked(taken);
    (me.previous != nullptr ? me.previous->next : first_) = me.next;
    (me.next != nullptr ? me.next->previous : last_) = me.previous;
    if (me.previous == nullptr && first_ != nullptr && !TG_PLANTED(limiter_leaves_no_next)) {
      first_->is_first.store(true, std::memory_order_release);
      next = &first_->flow;
    }
  }
  if (next != nullptr) next->unpark();  // its waiter may be gone by now, but not the flow
}

}  // namespace v0
}  // namespace tg
