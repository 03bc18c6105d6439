// SPDX-License-Identifier: Apache-2.0
// The parts of one group's pool, for the classes that act on several of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/options.hpp>
#include <threadgroup/statistics.hpp>

#include "base/planted.hpp"
#include "pool/failure_list.hpp"
#include "pool/failure_stop.hpp"
#include "pool/room.hpp"
#include "pool/slots.hpp"
#include "pool/task_queue.hpp"
#include "pool/thread_supply.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// The parts of a pool. Each has one job and its own rules.
///
/// `Pool` owns them and is the interface to the layers above. `Worker`, `Running`, `Starting`, `GroupClaim`,
/// `Lending` and `Skipping` act on them, one for each step in the life of a task. None has state that outlives
/// the call.
///
/// Thread safety: `queue` has two locks. One of them, `queue.mutex()`, also guards the fields that are marked
/// with it. The other parts synchronise themselves; what wakes a flow is called with no lock held.
struct PoolParts {
  PoolParts(Node& node_of_group, std::size_t bound, OnFailure on_failure,
            std::optional<std::size_t> max_pending);
  PoolParts(const PoolParts&) = delete;
  PoolParts& operator=(const PoolParts&) = delete;
  ~PoolParts() = default;

  /// With no lock held, because an adder may be woken.
  void give_room_back(std::size_t tasks) noexcept {
    if (room != nullptr) [[unlikely]]
      room->give_back(tasks);
  }
  /// The same for one task that a flow has taken out of the queue.
  void a_task_has_begun() noexcept {
    if (!TG_PLANTED(room_begun_task_keeps_its_room)) give_room_back(1);
  }
  /// Without the lock, for a check between two tasks.
  bool some_slots_are_wanted_back() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
    return slots.some_are_wanted_back();
  }
  void wake_waiters(bool idle) noexcept {
    change_waiters.release_all();
    if (idle) idle_waiters.release_all();
  }
  /// All counts of one moment.
  GroupStatistics count_locked() const noexcept TG_REQUIRES(queue.mutex());

  // Rarely written while tasks come and go.
  Node& node;
  FailureStop failure_stop;
  const std::unique_ptr<Room> room;  // null: no limit
  WaitQueue idle_waiters;            // released when the last task ends
  WaitQueue change_waiters;          // released whenever a task ends
  WaitQueue slot_waiters;  // released whenever a slot may have become free for one that is wanted back
  Slots slots TG_GUARDED_BY(queue.mutex());
  // Workers take turns at making threads: which turn it is, and how many threads were made in it. See `Starting`.
  std::uint32_t makers_turn TG_GUARDED_BY(queue.mutex()) = 0;
  std::uint32_t made_in_turn TG_GUARDED_BY(queue.mutex()) = 0;
  FailureList failures TG_GUARDED_BY(queue.mutex());
  ThreadSupply supply;

  TaskQueue queue;  // on cache lines of its own
};

}  // namespace tg::inline v0::detail
