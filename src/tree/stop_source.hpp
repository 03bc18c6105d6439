// SPDX-License-Identifier: Apache-2.0
// The standard library's stop tokens for an event.
#pragma once

#include <stop_token>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>

#include "event/event.hpp"

namespace tg::inline v0::detail {

/// The source of the stop tokens of one event, made when the first token is asked for.
///
/// Thread safety: everything from any thread.
class StopSource {
 public:
  /// A token that is stopped when the event is set.
  std::stop_token token(Event& event) {
    std::stop_source source(std::nostopstate);
    {
      MutexLock lock(mutex_);
      if (!source_.stop_possible()) {
        source_ = std::stop_source();
        is_followed_.store(true, std::memory_order_release);
      }
      source = source_;
    }
    event.watch();  // before the look at the event: one of the two sides asks for the stop
    if (event.is_set()) source.request_stop();
    return source.get_token();
  }
  /// The event was set. Runs the callbacks of users, so the caller holds no lock.
  void request_stop() noexcept {
    std::stop_source source(std::nostopstate);
    {
      MutexLock lock(mutex_);
      source = source_;
    }
    source.request_stop();
  }
  /// A thread follows the event without a token.
  void follow(Event& event) noexcept {
    is_followed_.store(true, std::memory_order_release);
    event.watch();
  }
  /// True if a token was made, or a thread follows or followed the event.
  bool is_followed() const noexcept { return is_followed_.load(std::memory_order_acquire); }

 private:
  Atomic<bool> is_followed_{false};  // atomic: set by any thread, read without the lock
  Mutex mutex_;
  std::stop_source source_ TG_GUARDED_BY(mutex_){std::nostopstate};
};

}  // namespace tg::inline v0::detail
