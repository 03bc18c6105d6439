// SPDX-License-Identifier: Apache-2.0
// Sets the events of nodes when their time is up.
#pragma once

#include <cstdint>

#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>

#include "base/timer_wheel.hpp"
#include "runtime/flow.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// The time after which the event of one node is set. The stop itself needs no memory.
///
/// Thread safety: everything from any thread, except for the destructor.
/// Lifetime: the node's object owns it, and calls `end` before it gives up its own reference to the node.
class TimeLimit : public runtime::InBlock, private TimerEntry {
 public:
  /// Not in force yet.
  explicit TimeLimit(Node& node) noexcept;
  /// In force: the reason will be of kind `deadline`. Throws as `begin` does.
  TimeLimit(Node& node, Duration limit);
  ~TimeLimit();
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

  /// Starts the time, after which the event is set with this reason. Does nothing if the limit has ended.
  /// Requires: it is not in force. Throws `std::system_error` or `std::bad_alloc` if the flow that waits for
  /// limits cannot be started.
  void begin(Duration limit, const SharedReason& reason);
  /// Permanently: the limit is not in force any more.
  void end() noexcept;

 private:
  friend class TimeLimits;
  void begin(Duration limit);

  // Constant after construction.
  Node& node_;
  const std::uint32_t fork_generation_;

  // Guarded by the lock of `TimeLimits`, as the base is.
  bool has_ended_ = false;
  Duration limit_;
  // One reference, until the limit has passed. One of these at most is not null.
  SharedReason* own_reason_ = nullptr;  // no other flow knows it yet
  const SharedReason* given_reason_ = nullptr;
};

/// All limits that are in force, and the one flow that waits for the earliest. The flow exists only while
/// there are limits, and for a moment after.
///
/// Thread safety: everything from any thread.
/// Lifetime: there from the start, never destroyed.
class TimeLimits {
 public:
  /// Those of the caller's engine, else those of the process.
  static TimeLimits& instance() noexcept {
    return runtime::part_of_caller(only_, runtime::Engine::Part::time_limits);
  }
  /// Called once, while the library is loaded.
  static void hold_across_forks();
  /// Whether the calling flow is the one that waits for the limits.
  bool are_served_by_caller() const noexcept {
    const runtime::Flow* const me = runtime::Flow::current_if_any();  // null on a thread that is no flow yet
    return me != nullptr && server_.load(std::memory_order_relaxed) == me;
  }

 private:
  friend class TimeLimit;
  constexpr TimeLimits() = default;
  static TimeLimits only_;

  bool was_used() noexcept;
  void forget_all() noexcept;
  void add(TimeLimit& limit);
  void end(TimeLimit& limit) noexcept;

  struct Due;
  enum class State { absent, awake, asleep, lingering };

  static void serve_main(void* limits) noexcept;
  static void set_event(const Due& due) noexcept;
  void serve() noexcept;
  Due take_due_locked(TimePoint now) noexcept TG_REQUIRES(mutex_);
  bool begin_sleep_locked(TimePoint now) noexcept TG_REQUIRES(mutex_);

  // Atomic: written by the flow itself, and only compared with itself by others.
  Atomic<const runtime::Flow*> server_{nullptr};
  Mutex mutex_;
  TimerWheel wheel_ TG_GUARDED_BY(mutex_);
  bool was_used_ TG_GUARDED_BY(mutex_) = false;
  State state_ TG_GUARDED_BY(mutex_) = State::absent;  // of the flow
  TimePoint sleeps_until_ TG_GUARDED_BY(mutex_);       // while it is asleep or lingers
  WaitQueue woken_;
};

}  // namespace tg::inline v0::detail
