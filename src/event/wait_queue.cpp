// SPDX-License-Identifier: Apache-2.0
// Linking, unlinking and releasing waiters.
#include <threadgroup/detail/wait_queue.hpp>

#include <threadgroup/duration.hpp>

#include "base/planted.hpp"
#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

namespace {
// Q3: a releaser has taken the node and is on its way to it; it unparks us after its last touch.
void wait_until_released(const Atomic<bool>& released, runtime::Flow& flow) noexcept {
  while (!released.load(TG_ORDER(acquire, wait_queue_waiter_sees_nothing, relaxed)))
    flow.park_until(TimePoint::never());
}
}  // namespace

void WaitQueue::link(WaitNode& node) noexcept {
  MutexLock lock(mutex_);
  if (node.epoch_ == epoch_) return;
  if (!node.released_.load(std::memory_order_acquire)) {
    lock.unlock();
    wait_until_released(node.released_, *node.flow_);
    lock.lock();  // no other flow links this node, so it is still out
  }
  WaitNode* const head = head_.load(std::memory_order_relaxed);
  node.previous_ = nullptr;
  node.next_ = head;
  if (head != nullptr) head->previous_ = &node;
  node.epoch_ = epoch_;
  node.released_.store(false, std::memory_order_relaxed);
  // Q1: before the waiter looks.
  head_.store(&node, TG_ORDER(seq_cst, wait_queue_link_is_not_ordered, release));
}

bool WaitQueue::unlink(WaitNode& node) noexcept {
  {
    MutexLock lock(mutex_);
    if (node.epoch_ == epoch_) {
      if (node.next_ != nullptr) node.next_->previous_ = node.previous_;
      if (node.previous_ != nullptr) {
        node.previous_->next_ = node.next_;
      } else {
        head_.store(node.next_, std::memory_order_relaxed);
      }
      node.epoch_ = 0;
      return true;
    }
  }
  if (node.flow_ != nullptr && !TG_PLANTED(wait_queue_leaves_before_released))
    wait_until_released(node.released_, *node.flow_);
  return false;
}

void WaitQueue::release_all() noexcept {
  if (empty()) return;
  WaitNode* node = nullptr;
  {
    MutexLock lock(mutex_);
    node = head_.exchange(nullptr, std::memory_order_relaxed);
    // Zero is the epoch of nodes that are in no queue.
    if (!TG_PLANTED(wait_queue_keeps_its_epoch) && ++epoch_ == 0) ++epoch_;
  }
  WaitNode* to_call = nullptr;  // last: sleeping flows must not wait for what these do
  while (node != nullptr) {
    WaitNode* const next = node->next_;
    runtime::Flow* const flow = node->flow_;
    if (flow == nullptr) {
      node->next_ = to_call;
      to_call = node;
      node = next;
      continue;
    }
    // From here on the node may be gone, but not the flow.
    node->released_.store(true, TG_ORDER(release, wait_queue_releaser_publishes_nothing, relaxed));
    flow->unpark();
    node = next;
  }
  while (to_call != nullptr) {
    WaitNode* const next = to_call->next_;
    to_call->call_(*to_call);
    to_call = next;
  }
}

}  // namespace tg::inline v0::detail
