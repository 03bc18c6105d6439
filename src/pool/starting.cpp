// SPDX-License-Identifier: Apache-2.0
// Turns at making threads, and what happens if the system has no thread.
#include "pool/starting.hpp"

namespace tg::inline v0::detail {

void Starting::start_if_needed(PoolParts& pool, std::uint64_t number) {
  {
    MutexLock lock(pool.queue.mutex());
    if (pool.slots.on_their_way() != 0 || !pool.slots.has_free() || !pool.queue.adder_needs_worker_locked())
      return;
    if (!GroupClaim::has_permit_for_next_locked(pool)) return;
    pool.slots.reserve();
  }
  int error = 0;
  if (start_one(pool, number, false, error) == Started::failed_for_own) runtime::throw_refusal(error);
}

void Starting::start(PoolParts& pool, bool even_if_one_is_coming) noexcept {
  for (std::uint32_t turn = 0, started = 1;; ++started) {
    int error = 0;
    if (start_one(pool, 0, even_if_one_is_coming || started > 1, error) != Started::made ||
        started == kMostMadeInTurn)
      return;
    MutexLock lock(pool.queue.mutex());
    if (started == 1) turn = pool.makers_turn;
    if (turn != pool.makers_turn || !needs_more_threads_locked(pool)) return;
    ++pool.made_in_turn;
    pool.slots.reserve();
  }
}

bool Starting::needs_more_threads_locked(PoolParts& pool) noexcept {
  if (pool.node.subtree_claim() != nullptr) return false;  // it claims a permit for one task at a time
  return pool.slots.has_free() && pool.queue.queue_has_more_than_locked(pool.slots.on_their_way());
}

bool Starting::try_take_over_locked(PoolParts& pool) noexcept {
  if (pool.slots.on_their_way() == 0 || !needs_more_threads_locked(pool)) return false;
  ++pool.makers_turn;
  pool.made_in_turn = 0;
  if (!TG_PLANTED(pool_taker_reserves_nothing)) pool.slots.reserve();
  return true;
}

// Starts the worker that was reserved. If there is no thread for it, the reservation stays and waits for one.
// If there is no other worker either, the task with the number `own` is taken back, and the result is
// `failed_for_own`; tasks that others have added meanwhile were accepted, and wait.
Starting::Started Starting::start_one(PoolParts& pool, std::uint64_t own, bool even_if_one_is_coming,
                                      int& error) noexcept {
  if (!TG_PLANTED(pool_worker_holds_no_reference)) pool.node.add_reference();  // P4
  const ThreadSupply::Requested requested = pool.supply.request(even_if_one_is_coming, error);
  if (requested == ThreadSupply::Requested::refused) return wait_for_thread_or_give_up(pool, own);
  return requested == ThreadSupply::Requested::made ? Started::made : Started::not_made;
}

Starting::Started Starting::wait_for_thread_or_give_up(PoolParts& pool, std::uint64_t own) noexcept {
  bool waits = false;
  bool taken_back = false;
  bool idle_now = false;
  OwedPermits owed;
  {
    MutexLock lock(pool.queue.mutex());
    owed = GroupClaim::withdraw_locked(pool);  // another group may have a thread
    bool needed = true;
    if (pool.slots.workers() == 1) {  // no other worker, not even one that lent its slot and comes back
      // P5: the next adder tries again. Set before the lists are searched, so that every later adder sees it.
      pool.queue.arm_locked();
      taken_back = own != 0 && pool.queue.take_back_locked(own);
      needed = pool.queue.refill_if_empty_locked();  // others may have added tasks meanwhile
      idle_now = taken_back && !needed && pool.queue.is_idle_locked();
    }
    // A lender that waits for its slot goes first: a worker without a thread uses no slot.
    waits = needed && pool.supply.refusal().threads == 0 && !pool.slots.is_wanted_back() &&
            !TG_PLANTED(supply_makes_no_request);
    if (waits) {
      pool.supply.request_when_possible_locked();
    } else {
      pool.slots.give_reservation_back();
    }
  }
  owed.give_back();
  if (taken_back) pool.wake_waiters(idle_now);  // a join may have seen the task that was taken back
  if (waits) {                                  // with the reference that was taken for it
    pool.supply.ask_at_once();
    pool.supply.report(pool.node);
  } else {
    pool.slot_waiters.release_all();  // the reserved slot is free again
    pool.node.release();
  }
  return taken_back ? Started::failed_for_own : Started::not_made;
}

bool Starting::take_slot_locked(PoolParts& pool) noexcept {
  if (!pool.slots.has_free() && !withdraw_request_locked(pool) && !TG_PLANTED(pool_helper_takes_any_slot))
    return false;
  pool.slots.reserve();
  return true;
}

bool Starting::has_no_worker_for_pending(const PoolParts& pool) noexcept {
  if (!pool.supply.is_short()) return false;
  MutexLock lock(pool.queue.mutex());
  const std::uint32_t refused = pool.supply.refusal().threads;
  return refused != 0 && pool.slots.workers() - pool.slots.lent() == refused;
}

bool Starting::withdraw_request_locked(PoolParts& pool) noexcept {
  if (pool.slots.on_their_way() == 0 || !pool.supply.withdraw_locked()) return false;
  if (!TG_PLANTED(pool_withdrawn_worker_still_counts)) pool.slots.give_reservation_back();
  pool.node.release();
  return true;
}

void Starting::withdraw_request_if_done_locked(PoolParts& pool) noexcept {
  if (pool.slots.on_their_way() != 0 && !pool.queue.needs_worker_locked()) withdraw_request_locked(pool);
}

void Starting::request_another_turn_locked(PoolParts& pool) noexcept {
  if (!reserve_locked(pool)) return withdraw_request_if_done_locked(pool);
  pool.node.add_reference();  // P4
  pool.supply.request_when_possible_locked();
}

}  // namespace tg::inline v0::detail
