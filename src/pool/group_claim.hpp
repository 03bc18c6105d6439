// SPDX-License-Identifier: Apache-2.0
// A group's claim for a permit of each bound above it, as the pool uses it.
#pragma once

#include <threadgroup/detail/mutex.hpp>

#include "pool/parts.hpp"
#include "tree/node.hpp"
#include "tree/subtree_bound.hpp"

namespace tg::inline v0::detail {

/// Advances and withdraws the claim of a pool's group. A group without a bound above it has no claim, and pays
/// for one look at a flag.
///
/// Guarantees: a claim that is useless is withdrawn (D5). The caller gives the withdrawn permits back after it
/// has released the lock, because that calls other groups.
/// Thread safety: functions that end in `_locked` under the queue's lock; `pass_unused_permits_on` with no lock
/// held.
class GroupClaim {
 public:
  /// Whether the claim has a permit for the next task; if not, it waits for one: P3.
  static bool has_permit_for_next_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex()) {
    return !pool.node.is_limited() || advance_locked(pool);
  }
  static OwedPermits withdraw_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex()) {
    SubtreeClaim* const claim = pool.node.subtree_claim();
    if (claim == nullptr) return {};
    return {&claim->of_group.first(), claim->of_group.withdraw()};
  }
  /// For a caller after whose step nothing may be pending, or no slot free: then the claim is useless.
  static OwedPermits withdraw_if_useless_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex()) {
    return pool.node.is_limited() && is_useless_locked(pool) ? withdraw_locked(pool) : OwedPermits();
  }
  /// The same for a caller that has released the lock.
  static void pass_unused_permits_on(PoolParts& pool) noexcept;

 private:
  static bool advance_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());
  static bool is_useless_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());
};

}  // namespace tg::inline v0::detail
