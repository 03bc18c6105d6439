// SPDX-License-Identifier: Apache-2.0
// The steps of a claim, and when it is of no use.
#include "pool/group_claim.hpp"

#include "base/planted.hpp"

namespace tg::inline v0::detail {

bool GroupClaim::advance_locked(PoolParts& pool) noexcept {
  SubtreeClaim* const claim = pool.node.subtree_claim();
  return claim == nullptr || claim->of_group.advance_to_promise();
}

bool GroupClaim::is_useless_locked(PoolParts& pool) noexcept {
  SubtreeClaim* const claim = pool.node.subtree_claim();
  if (claim == nullptr || !claim->of_group.waits() || pool.slots.on_their_way() != 0 ||
      TG_PLANTED(subtree_useless_claim_stays))
    return false;
  return !pool.queue.needs_worker_locked() || (claim->of_group.is_promised() && !pool.slots.has_free());
}

void GroupClaim::pass_unused_permits_on(PoolParts& pool) noexcept {
  OwedPermits owed;
  {
    MutexLock lock(pool.queue.mutex());
    owed = withdraw_if_useless_locked(pool);
  }
  owed.give_back();
}

}  // namespace tg::inline v0::detail
