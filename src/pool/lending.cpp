// SPDX-License-Identifier: Apache-2.0
// Lending, taking back, and starting a worker for a permit.
#include "pool/lending.hpp"

#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/wait.hpp"
#include "tree/subtree_bound.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

void Lending::lend_slot(Pool& pool) noexcept {
  bool start = false;
  bool hand_over = false;
  {
    MutexLock lock(pool.queue_.mutex());
    pool.slots_.lend();
    hand_over = pool.slots_.some_are_wanted_back();
    start = pool.reserve_worker_locked();
  }
  if (hand_over) pool.slot_waiters_.release_all();
  if (start) pool.start_workers(false);
}

void Lending::reclaim_slot(Pool& pool) noexcept {
  Event& event = pool.node_.event();
  OwedPermits owed;
  bool waits = false;
  {
    MutexLock lock(pool.queue_.mutex());
    if (!pool.slots_.has_free()) pool.withdraw_request_locked();  // a worker without a thread uses no slot
    waits = !event.is_set() && !pool.slots_.has_free();
    if (waits) pool.slots_.begin_waiting();
    else pool.slots_.take_back();
    owed = pool.withdraw_useless_claim_locked();
  }
  owed.give_back();
  if (!waits) return;
  const auto slot_is_free = [&pool] {
    MutexLock lock(pool.queue_.mutex());
    return pool.slots_.try_end_waiting();
  };
  const RecordedWait recorded(TaskContext::current(), WaitTarget::slot_of(pool.node_), {&event, nullptr},
                              TimePoint::never(), true, RecordedWait::OnCycle::report);
  if (wait(pool.slot_waiters_, slot_is_free, {&event, nullptr}, TimePoint::never()) != WaitOutcome::ready) {
    MutexLock lock(pool.queue_.mutex());
    pool.slots_.end_waiting();
  }
}

bool Lending::permit_is_free(Pool& pool, const Permits& permits) noexcept {
  PermitClaim& claim = pool.node_.subtree_claim()->of_group;
  OwedPermits owed;
  bool wants_it = true;
  {
    MutexLock lock(pool.queue_.mutex());
    if (!claim.waits()) return true;  // it was taken or withdrawn meanwhile
    const bool one_is_coming = pool.slots_.on_their_way() != 0;
    const bool is_useless = one_is_coming ? pool.supply_.refusal().threads != 0  // it may take long to come
                                          : !pool.slots_.has_free() || !pool.queue_.needs_worker_locked();
    if (!is_useless) {
      if (one_is_coming || !claim.advance_to_promise()) return true;
      pool.slots_.reserve();
    } else {
      wants_it = !claim.is_promised_by(permits);
      owed = {&claim.first(), wants_it ? claim.withdraw() : claim.withdraw_all_but_last()};
    }
  }
  if (owed.first != nullptr) owed.give_back();
  else pool.start_workers(false);
  return wants_it;
}

}  // namespace tg::inline v0::detail
