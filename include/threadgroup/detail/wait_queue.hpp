// SPDX-License-Identifier: Apache-2.0
// The flows that wait for one thing to happen.
//
// Invariants
//   Q1. A waiter first links itself and then checks what it waits for; the flow that makes that happen first
//       makes it happen and then checks for waiters. So at least one of the two sees the other, and no
//       wake-up is lost.
//   Q2. A node is linked exactly while its epoch is the queue's. `release_all` takes all nodes by
//       advancing the epoch.
//   Q3. A node that was taken belongs to the releaser until `released_` is true; the waiter does not leave
//       before that.
#pragma once

#include <cstdint>
#include <memory>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>

namespace tg::inline v0::runtime {
class Flow;
}

namespace tg::inline v0::detail {

class WaitQueue;

/// The entry of one flow in one queue, on the waiter's stack.
///
/// Or an entry with a function that is called instead of a flow that is woken. The call is the queue's last
/// use of the node, and no lock is held.
class WaitNode {
 public:
  explicit WaitNode(runtime::Flow& flow) noexcept : flow_(&flow) {}
  explicit WaitNode(void (*call)(WaitNode&) noexcept) noexcept : call_(call) {}
  WaitNode(const WaitNode&) = delete;
  WaitNode& operator=(const WaitNode&) = delete;

 private:
  friend class WaitQueue;
  runtime::Flow* const flow_ = nullptr;               // either this
  void (*const call_)(WaitNode&) noexcept = nullptr;  // or this
  WaitNode* previous_ = nullptr;  // guarded by the queue's lock while linked, then the releaser's
  WaitNode* next_ = nullptr;      // likewise
  std::uint32_t epoch_ = 0;       // guarded by the queue's lock
  Atomic<bool> released_{true};   // atomic: the releaser's last write, which the waiter waits for
};

/// The flows that wait for one thing to happen.
///
/// Requires: no flow waits when it is destroyed.
/// Guarantees: `release_all` wakes the flows of all nodes that were linked when it was called, and costs one
/// load if there are none. It holds no lock while it wakes.
/// Thread safety: everything from any thread; a node is used by one flow.
/// Memory ordering: `link` and `release_all` are sequentially consistent with an atomic that one side writes
/// before and the other reads after (Q1), if those accesses are sequentially consistent too, are made under a
/// common lock, or have a sequentially consistent fence between them and `release_all`.
class TG_EXPORT WaitQueue {
 public:
  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  /// Links the node, unless it is linked already.
  void link(WaitNode& node) noexcept;
  /// Unlinks the node, if it was ever linked. True if it was still linked. Afterwards no other flow touches
  /// it; except that the function of a node that had been taken already is called, now or soon.
  bool unlink(WaitNode& node) noexcept;
  void release_all() noexcept;
  /// Calls `f`, which is short, as if a waiter were linked. If `f` sees that what the waiters wait for has
  /// not happened yet (Q1), the flow that makes it happen returns from `release_all` only after `f` has
  /// returned.
  template <class F>
  void look_before_release(F f) noexcept {
    MutexLock lock(mutex_);
    WaitNode placeholder([](WaitNode&) noexcept {});  // only makes the queue seem not empty
    WaitNode* const head = head_.load(std::memory_order_relaxed);
    if (head == nullptr) head_.store(&placeholder, std::memory_order_seq_cst);  // Q1: before `f` looks
    f();
    if (head == nullptr) head_.store(nullptr, std::memory_order_relaxed);
  }
  /// For the only thread of a forked child: the flows in the queue are the parent's, and one of them may have
  /// held the lock.
  void forget_parent() noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
    std::construct_at(&mutex_);
    head_.store(nullptr, std::memory_order_relaxed);
    if (++epoch_ == 0) ++epoch_;
  }
  bool empty() const noexcept { return head_.load(std::memory_order_seq_cst) == nullptr; }

 private:
  Mutex mutex_;
  std::uint32_t epoch_ TG_GUARDED_BY(mutex_) = 1;
  Atomic<WaitNode*> head_{nullptr};  // written under the lock; atomic for the look without it in `empty`
};

}  // namespace tg::inline v0::detail
