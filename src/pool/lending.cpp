// SPDX-License-Identifier: Apache-2.0
// Lending, taking back, and starting a worker for a permit.
#include "pool/lending.hpp"

#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/wait.hpp"
#include "pool/group_claim.hpp"
#include "pool/starting.hpp"
#include "tree/subtree_bound.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

void Lending::lend_slot(PoolParts& pool) noexcept {
  bool start = false;
  bool hand_over = false;
  {
    MutexLock lock(pool.queue.mutex());
    pool.slots.lend();
    hand_over = pool.slots.some_are_wanted_back();
    start = Starting::reserve_locked(pool);
  }
  if (hand_over) pool.slot_waiters.release_all();
  if (start) Starting::start(pool, false);
}

void Lending::reclaim_slot(PoolParts& pool) noexcept {
  Event& event = pool.node.event();
  OwedPermits owed;
  bool waits = false;
  {
    MutexLock lock(pool.queue.mutex());
    if (!pool.slots.has_free())
      Starting::withdraw_request_locked(pool);  // a worker without a thread uses no slot
    waits = !event.is_set() && !pool.slots.has_free();
    if (waits) pool.slots.begin_waiting();
    else pool.slots.take_back();
    owed = GroupClaim::withdraw_if_useless_locked(pool);
  }
  owed.give_back();
  if (!waits) return;
  const auto slot_is_free = [&pool] {
    MutexLock lock(pool.queue.mutex());
    return pool.slots.try_end_waiting();
  };
  const RecordedWait recorded(TaskContext::current(), WaitTarget::slot_of(pool.node), {&event, nullptr},
                              TimePoint::never(), true, RecordedWait::OnCycle::report);
  if (wait(pool.slot_waiters, slot_is_free, {&event, nullptr}, TimePoint::never()) != WaitOutcome::ready) {
    MutexLock lock(pool.queue.mutex());
    pool.slots.end_waiting();
  }
}

bool Lending::permit_is_free(PoolParts& pool, const Permits& permits) noexcept {
  PermitClaim& claim = pool.node.subtree_claim()->of_group;
  OwedPermits owed;
  bool wants_it = true;
  {
    MutexLock lock(pool.queue.mutex());
    if (!claim.waits()) return true;  // it was taken or withdrawn meanwhile
    const bool one_is_coming = pool.slots.on_their_way() != 0;
    const bool is_useless = one_is_coming ? pool.supply.refusal().threads != 0  // it may take long to come
                                          : !pool.slots.has_free() || !pool.queue.needs_worker_locked();
    if (!is_useless) {
      if (one_is_coming || !claim.advance_to_promise()) return true;
      pool.slots.reserve();
    } else {
      wants_it = !claim.is_promised_by(permits);
      owed = {&claim.first(), wants_it ? claim.withdraw() : claim.withdraw_all_but_last()};
    }
  }
  if (owed.first != nullptr) owed.give_back();
  else Starting::start(pool, false);
  return wants_it;
}

}  // namespace tg::inline v0::detail
