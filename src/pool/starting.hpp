// SPDX-License-Identifier: Apache-2.0
// Who starts a worker, and when: one at a time.
#pragma once

#include <cstdint>

#include <threadgroup/detail/mutex.hpp>

#include "base/planted.hpp"
#include "pool/group_claim.hpp"
#include "pool/parts.hpp"
#include "runtime/engine.hpp"

namespace tg::inline v0::detail {

/// Reserves workers of a pool, and takes threads for them from the process's cache.
///
/// A worker is reserved under the queue's lock, by the flow that saw that one is needed (P3), and started after the
/// lock is released: by the same flow, which calls `start`. Then the worker is on its way, until its thread arrives or
/// the request for a thread is withdrawn.
///
/// Thread safety: functions that end in `_locked` under the queue's lock; the others with no lock held, because they may
/// wake flows and make threads.
class Starting {
 public:
  /// Reserves a worker if one is needed, none is on its way, and a slot and a permit are free. Says whether it did.
  static bool reserve_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex()) {
    if (pool.slots.on_their_way() != 0 || !pool.slots.has_free() || !pool.queue.needs_worker_locked())
      return false;
    if (!GroupClaim::has_permit_for_next_locked(pool)) return false;
    pool.slots.reserve();
    return true;
  }
  /// Starts the reserved worker. If its thread has to be made, makes more, while the queue has more tasks than
  /// workers are on their way and no other worker takes over. `even_if_one_is_coming`: requests a thread even
  /// if one is on its way for another request.
  static void start(PoolParts& pool, bool even_if_one_is_coming) noexcept;
  /// Whether the calling worker makes the next threads, instead of the worker whose turn it was. If so, reserves
  /// a worker.
  static bool take_over_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex()) {
    return pool.made_in_turn >= kLeastMadeInTurn && try_take_over_locked(pool);
  }
  /// For an adder that has cleared the queue's flag (P5) and added the task with this number. If there is no
  /// worker and no thread for one, takes the task back and throws.
  static void start_if_needed(PoolParts& pool, std::uint64_t number);

  /// A slot for a flow that serves the queue itself. It may be that of a worker that has no thread yet.
  static bool take_slot_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());
  /// Nothing is pending, and a worker on its way will search all lists: P3. So no flag is needed that makes
  /// the next adder start one.
  static bool a_worker_will_look_locked(const PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex()) {
    const bool one_is_coming =
        pool.slots.on_their_way() != 0 || TG_PLANTED(pool_helper_trusts_that_one_comes);
    return one_is_coming && pool.queue.nothing_is_pending_locked();
  }
  /// The system has refused a thread, and all workers of the group wait for others.
  static bool has_no_worker_for_pending(const PoolParts& pool) noexcept;

  /// Cancels a worker that has no thread yet; false if there is none. The caller holds a reference to the node, so the
  /// worker's reference is not the last one.
  static bool withdraw_request_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());
  /// For a worker that leaves: otherwise the worker without a thread might start long after the work is done.
  static void withdraw_request_if_done_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());
  /// For a worker that leaves although tasks are pending: P3. Its thread takes the first request of the list.
  static void request_another_turn_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());

 private:
  // How many threads a worker makes before it runs its task. glibc keeps some 650 bytes for each thread that
  // has made one; with four, that is a quarter of the threads. More would delay the task for little gain. But
  // on a busy machine it takes long until a new thread begins to run; until one has, the worker goes on, up to `kMostMadeInTurn`.
  static constexpr std::uint32_t kLeastMadeInTurn = runtime::kIsExplored ? 1 : 4;
  static constexpr std::uint32_t kMostMadeInTurn = 64;

  static bool needs_more_threads_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());
  static bool try_take_over_locked(PoolParts& pool) noexcept TG_REQUIRES(pool.queue.mutex());
  // `not_made`: a thread is coming already, or the request waits for one, or none is needed any more.
  enum class Started : std::uint8_t { made, not_made, failed_for_own };
  static Started start_one(PoolParts& pool, std::uint64_t own, bool even_if_one_is_coming,
                           int& error) noexcept;
  static Started wait_for_thread_or_give_up(PoolParts& pool, std::uint64_t own) noexcept;
};

}  // namespace tg::inline v0::detail
