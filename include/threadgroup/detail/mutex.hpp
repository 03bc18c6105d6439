// SPDX-License-Identifier: Apache-2.0
// The one lock of the library: four bytes, annotated for clang's thread-safety analysis.
#pragma once

#include <cstdint>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

/// What each lock tells a build for explorations, which checks that no flow is woken, and none sleeps, while a
/// lock is held.
struct LockSteps {
#if defined(TG_SIMULATION)
  /// The next access takes a lock.
  static void approach() noexcept;
  /// The calling flow has taken (1) a lock, or is about to release it (-1).
  static void count(int change) noexcept;
#else
  static void approach() noexcept {}
  static void count(int) noexcept {}
#endif
};

/// A mutual exclusion lock of four bytes.
///
/// Every group, event and task result has one, so its size matters; `std::mutex` is ten times as large. It is
/// the three-state lock of U. Drepper, "Futexes Are Tricky" (2011), section "Mutex, Take 2": 0 free, 1 held,
/// 2 held and perhaps waited for. A thread spins for some microseconds before it parks, because the critical
/// sections in this library are a few dozen instructions long.
///
/// Requires: the thread that locks does not hold the mutex already; it is not recursive.
/// Guarantees: the exchange that frees the mutex is the last access of the unlocking thread to its content.
/// After that it uses only the address, to wake a waiter. So the next holder may destroy the mutex.
/// Thread safety: everything from any thread.
class TG_CAPABILITY("mutex") TG_EXPORT Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() TG_ACQUIRE() {
    LockSteps::approach();
    std::uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                        std::memory_order_relaxed)) [[unlikely]] {
      lock_slow();
    }
    LockSteps::count(1);
  }

  void unlock() TG_RELEASE() {
    LockSteps::count(-1);
    if (state_.exchange(kFree, std::memory_order_release) == kContended) [[unlikely]]
      wake_one();
  }

  bool try_lock() TG_TRY_ACQUIRE(true) {
    std::uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                        std::memory_order_relaxed))
      return false;
    LockSteps::count(1);
    return true;
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;

  void lock_slow();
  void wake_one();

  Atomic<std::uint32_t> state_{kFree};  // atomic: it is the lock
};

/// Holds a `Mutex` for a scope; `unlock` and `lock` open a gap in it.
class TG_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TG_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() TG_RELEASE() {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() TG_RELEASE() {
    held_ = false;
    mutex_.unlock();
  }
  void lock() TG_ACQUIRE() {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

}  // namespace tg::inline v0::detail
