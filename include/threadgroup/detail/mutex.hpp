// SPDX-License-Identifier: Apache-2.0
// The one lock of the library: four bytes, annotated for clang's thread-safety analysis.
#pragma once

#include <atomic>
#include <cstdint>

#include <threadgroup/detail/annotations.hpp>

namespace tg::detail {

/// A mutual exclusion lock of four bytes.
///
/// Every group, event and task result carries one, so its size counts; `std::mutex` takes ten times as much.
/// It is the three-state lock of U. Drepper, "Futexes Are Tricky" (2011), section "Mutex, Take 2": 0 free, 1
/// held, 2 held and perhaps waited for. A spin of some microseconds comes first, for the critical sections
/// here are a few dozen instructions.
///
/// Guarantees: a thread that unlocks touches the mutex for the last time in the exchange that frees it, but
/// for the address (not the content) that it may wake; so the next holder may destroy it. Thread safety: it
/// is made for sharing. Not recursive.
class TG_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() TG_ACQUIRE() {
    std::uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                        std::memory_order_relaxed)) [[unlikely]] {
      lock_slow();
    }
  }

  void unlock() TG_RELEASE() {
    if (state_.exchange(kFree, std::memory_order_release) == kContended) [[unlikely]]
      wake_one();
  }

  bool try_lock() TG_TRY_ACQUIRE(true) {
    std::uint32_t expected = kFree;
    return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;

  void lock_slow();
  void wake_one();

  std::atomic<std::uint32_t> state_{kFree};  // atomic: it is the lock
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

}  // namespace tg::detail
