// SPDX-License-Identifier: Apache-2.0
// A condition variable whose waits can be stopped.
#pragma once

#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

/// Waits until a condition on data under a lock is true. Its waits can be stopped.
///
///     std::unique_lock lock(mutex);
///     if (changed.wait(lock, [&] { return !queue.empty(); }, 5s) == tg::WaitOutcome::ready) take(queue);
///
/// It takes any lock that has `lock` and `unlock`: a `std::unique_lock` of a `tg::Mutex` or of a `std::mutex`,
/// or a `tg::Mutex` itself.
///
/// Requires: the data of the condition changes only under the lock, and `notify_one` or `notify_all` is called
/// afterwards, with or without the lock. No thread waits when it is destroyed; that is reported on stderr, and
/// fails a simulation.
/// Guarantees: no notification is lost. `notify_one` wakes the longest waiting thread that is not stopped or out
/// of time. A waiter calls its predicate again, with the lock held, before it returns for any reason.
/// Thread safety: everything from any thread. A task that waits keeps its slot.
class TG_EXPORT ConditionVariable {
 public:
  constexpr ConditionVariable() noexcept = default;
  ConditionVariable(const ConditionVariable&) = delete;
  ConditionVariable& operator=(const ConditionVariable&) = delete;
  ~ConditionVariable() {
    if (waited_for_.load(std::memory_order_relaxed)) [[unlikely]]
      check_destruction();
  }

  /// Wakes one waiter.
  void notify_one() noexcept {
    if (waited_for_.load(std::memory_order_seq_cst)) wake_one();
  }
  /// Wakes all waiters.
  void notify_all() noexcept {
    if (waited_for_.load(std::memory_order_seq_cst)) wake_all();
  }

  /// Waits until `predicate()` returns true. It is called with the lock held, at first and after each
  /// wake-up; the lock is released while the caller sleeps. Returns `ready` if the predicate is true, even if
  /// the caller is stopped or time is up; otherwise `event_set` or `timed_out`. The lock is held again when it
  /// returns. Throws what the predicate and the lock throw.
  template <class Lock, class Predicate>
  WaitOutcome wait(Lock& lock, Predicate predicate, Duration timeout = Duration::max()) {
    return wait_for([&lock] { lock.lock(); }, [&lock] { lock.unlock(); },
                    [&predicate] { return static_cast<bool>(predicate()); }, timeout);
  }

 private:
  WaitOutcome wait_for(FunctionRef<void()> lock, FunctionRef<void()> unlock, FunctionRef<bool()> predicate,
                       Duration timeout);
  void wake_one() noexcept;
  void wake_all() noexcept;
  void check_destruction() const noexcept;

  // Atomic: written under the parking lot's lock, and read without it.
  alignas(8) detail::Atomic<bool> waited_for_{false};
};

}  // namespace v0
}  // namespace tg
