// SPDX-License-Identifier: Apache-2.0
// The threads that wait for a job.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/thread_requests.hpp"

namespace tg::inline v0::runtime {

class Flow;

/// An idle thread's place in the stack; it lives on that thread's stack.
struct IdleThread {
  enum class Call : std::uint8_t {
    none,
    job,   // to run `job`
    list,  // to take the first request of the cache's list
    end,
  };
  Flow* flow = nullptr;
  IdleThread* previous = nullptr;
  IdleThread* next = nullptr;
  Job job;
  Call call = Call::none;
};

/// The last thread to become idle is the first to be called: its caches are warm.
///
/// Thread safety: everything under the cache's lock.
class IdleStack {
 public:
  std::size_t count() const noexcept { return count_; }
  void push(IdleThread& thread) noexcept {
    thread.call = IdleThread::Call::none;
    thread.previous = nullptr;
    thread.next = first_;
    if (first_ != nullptr) first_->previous = &thread;
    first_ = &thread;
    ++count_;
  }
  /// Calls one; null if there is none. The caller unparks its flow once the lock is free: as soon as that
  /// looks, the `IdleThread` is gone.
  Flow* call(IdleThread::Call what, Job job = {}) noexcept {
    if (first_ == nullptr) return nullptr;
    IdleThread& thread = *first_;
    take_out(thread);
    thread.job = job;
    thread.call = what;
    return thread.flow;
  }
  /// For one that was not called.
  void take_out(IdleThread& thread) noexcept {
    (thread.previous != nullptr ? thread.previous->next : first_) = thread.next;
    if (thread.next != nullptr) thread.next->previous = thread.previous;
    --count_;
  }

 private:
  IdleThread* first_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace tg::inline v0::runtime
