// SPDX-License-Identifier: Apache-2.0
// Stops groups when their time limit has passed.
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

/// The time limit of one node, in force from the constructor to the destructor. When the limit passes, the
/// node's event is set with a reason of kind `deadline`. The reason is made with this object, so the stop
/// needs no memory.
///
/// Lifetime: the node's object owns it, and destroys it before it gives up its own reference to the node.
class TimeLimit : public runtime::InBlock, private TimerEntry {
 public:
  /// Throws `std::bad_alloc`, and `std::system_error` if the flow that waits for limits cannot be started.
  TimeLimit(Node& node, Duration limit);
  ~TimeLimit();
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

 private:
  friend class TimeLimits;

  // The base is guarded by the lock of `TimeLimits`.

  // Constant after construction.
  Node& node_;
  const Duration limit_;
  const std::uint32_t fork_generation_;

  SharedReason* reason_;  // guarded by the lock of `TimeLimits`; null once the limit has passed
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

 private:
  friend class TimeLimit;
  constexpr TimeLimits() = default;
  static TimeLimits only_;

  bool was_used() noexcept;
  void forget_all() noexcept;
  void add(TimeLimit& limit);
  void remove(TimeLimit& limit) noexcept;

  struct Due;
  enum class State { absent, awake, asleep, lingering };

  static void serve_main(void* limits) noexcept;
  void serve() noexcept;
  Due take_due_locked(TimePoint now) noexcept TG_REQUIRES(mutex_);
  bool begin_sleep_locked(TimePoint now) noexcept TG_REQUIRES(mutex_);

  Mutex mutex_;
  TimerWheel wheel_ TG_GUARDED_BY(mutex_);
  bool was_used_ TG_GUARDED_BY(mutex_) = false;
  State state_ TG_GUARDED_BY(mutex_) = State::absent;  // of the flow
  TimePoint sleeps_until_ TG_GUARDED_BY(mutex_);       // while it is asleep or lingers
  WaitQueue woken_;
};

}  // namespace tg::inline v0::detail
