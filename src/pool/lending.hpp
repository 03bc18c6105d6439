// SPDX-License-Identifier: Apache-2.0
// Slots and permits that pass from one flow to another: while a task waits, and when a permit becomes free.
#pragma once

#include <threadgroup/detail/mutex.hpp>

#include "pool/parts.hpp"
#include "tree/permits.hpp"

namespace tg::inline v0::detail {

/// What `Pool` does when a slot is lent and taken back, and when a permit of a bound above the group is
/// promised to the group's claim.
///
/// Thread safety: everything from any thread, with no lock held.
class Lending {
 public:
  /// See `Node::lend_slot` and `Node::reclaim_slot`.
  static void lend_slot(PoolParts& pool) noexcept;
  static void reclaim_slot(PoolParts& pool) noexcept;
  /// See `Node::permit_is_free`: starts a worker that takes the permit.
  static bool permit_is_free(PoolParts& pool, const Permits& permits) noexcept;
};

}  // namespace tg::inline v0::detail
