// SPDX-License-Identifier: Apache-2.0
// What a stop notifies: `OnStop` functions, the standard library's stop tokens, and a descriptor for event loops.
#pragma once

#include <optional>
#include <stop_token>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/scope.hpp>

#include "event/event.hpp"
#include "runtime/event_descriptor.hpp"

namespace tg::inline v0::detail {

class Node;

/// The functions, tokens and descriptor that follow the event of one node, made when the first one comes.
///
///     void on_event_set() noexcept override { stop_source_.request_stop(*this); }
///
/// Guarantees: each function is either called or removed. While one is called, the others can be removed, even by
/// the function itself.
/// Thread safety: everything from any thread.
class StopSource {
 public:
  StopSource() = default;
  StopSource(const StopSource&) = delete;
  StopSource& operator=(const StopSource&) = delete;
  ~StopSource();

  /// A token that is stopped when the event is set.
  std::stop_token token(Event& event);
  /// Links the function. False if the caller has to call it, because the event is set. Throws `std::bad_alloc`.
  [[nodiscard]] bool add(OnStop& function, Event& event);
  /// Unlinks it. False if it is not linked: it was called, or is about to be.
  bool remove(OnStop& function) noexcept;
  /// A descriptor that becomes and stays readable when the event is set. Throws `std::system_error` or
  /// `std::bad_alloc`.
  int descriptor(Event& event);
  /// A thread follows the event without a token or a function.
  void follow(Event& event) noexcept {
    is_followed_.store(true, std::memory_order_release);
    event.watch();
  }
  /// The event of the node was set. Calls the functions, so the caller holds no lock. On the flow that waits for
  /// deadlines it has another flow call them, if it can: a function may wait for a deadline.
  void request_stop(Node& node) noexcept;

  /// True if there is or was a token, a function, a descriptor or a thread.
  bool is_followed() const noexcept { return is_followed_.load(std::memory_order_acquire); }

 private:
  struct Followers {
    std::stop_source source{std::nostopstate};
    OnStop* first = nullptr;
    std::optional<runtime::EventDescriptor> descriptor;
  };

  Followers& followers_locked() TG_REQUIRES(mutex_);
  static void unlink(OnStop& function) noexcept;
  static void call_followers_of(void* node) noexcept;
  void call_followers() noexcept;

  Atomic<bool> is_followed_{false};  // atomic: set by any thread, read without the lock
  Mutex mutex_;
  Followers* followers_ TG_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tg::inline v0::detail
