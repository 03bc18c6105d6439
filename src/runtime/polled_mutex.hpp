// SPDX-License-Identifier: Apache-2.0
// A lock for data that one flow uses all the time, and others rarely.
#pragma once

#include <cstdint>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>

#include "base/planted.hpp"

namespace tg::inline v0::runtime {

/// A mutual exclusion lock for data that one flow uses all the time, and others rarely.
///
/// Unlocking is a plain store instead of the atomic exchange of `Mutex`, so an uncontended lock costs half as
/// much. But the flow that unlocks does not learn whether others wait, and wakes none: waiters look again,
/// first after pauses of about a microsecond, then after sleeps. This suits only a lock that is held for some
/// nanoseconds and that few flows take.
///
/// Requires: the thread that locks does not hold the lock already.
/// Thread safety: everything from any thread.
class TG_CAPABILITY("mutex") PolledMutex {
 public:
  PolledMutex() = default;
  PolledMutex(const PolledMutex&) = delete;
  PolledMutex& operator=(const PolledMutex&) = delete;

  void lock() TG_ACQUIRE() {
    tg::detail::LockSteps::approach();
    if (!try_take()) [[unlikely]]
      lock_slow();
    tg::detail::LockSteps::count(1);
  }
  void unlock() TG_RELEASE() {
    tg::detail::LockSteps::count(-1);
    held_.store(0, TG_ORDER(release, polled_mutex_publishes_nothing, relaxed));
  }

 private:
  bool try_take() noexcept {
    return held_.exchange(1, TG_ORDER(acquire, polled_mutex_sees_nothing, relaxed)) == 0;
  }
  void lock_slow() noexcept;

  tg::detail::Atomic<std::uint32_t> held_{0};  // atomic: it is the lock
};

/// Holds a `PolledMutex` for a scope.
class TG_SCOPED_CAPABILITY PolledLock {
 public:
  explicit PolledLock(PolledMutex& mutex) TG_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~PolledLock() TG_RELEASE() { mutex_.unlock(); }
  PolledLock(const PolledLock&) = delete;
  PolledLock& operator=(const PolledLock&) = delete;

 private:
  PolledMutex& mutex_;
};

}  // namespace tg::inline v0::runtime
