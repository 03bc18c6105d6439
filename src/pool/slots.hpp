// SPDX-License-Identifier: Apache-2.0
// How many tasks of a group may run at a time, and the workers that have a slot.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/config.hpp>

#include "base/planted.hpp"

namespace tg::inline v0::detail {

/// The slots of a group: permits to run tasks, as many as the bound says. Each worker has one from the
/// moment it is on its way until it leaves, except while its task waits for another task of the group: then
/// it lends the slot, and another worker may use it.
///
/// It only counts. The pool starts the threads and parks the flows, and acts on what the functions here
/// return.
///
/// Invariants
///   C1. workers - lent <= bound, so no more workers than the bound allows can run a task. The exception:
///       when the event is set, a task that has lent its slot continues at once. A stop must not wait.
///   C2. A lender that wants its slot back comes before tasks that have not begun: while one waits, no slot
///       counts as free for a new worker, and a worker leaves between two tasks if no slot is left for it.
///
/// Thread safety: the pool's lock guards everything; `some_are_wanted_back` may be called without it.
class Slots {
 public:
  explicit Slots(std::size_t bound) noexcept : bound_(bound) {}

  std::size_t bound() const noexcept { return bound_; }  // constant
  /// All workers, also those on their way and those that lent their slots.
  std::uint32_t workers() const noexcept { return workers_; }
  std::uint32_t on_their_way() const noexcept { return on_their_way_; }
  std::uint32_t lent() const noexcept { return lent_; }
  /// How many more workers may start.
  std::size_t free() const noexcept { return has_free() ? bound_ - used() : 0; }
  bool has_free() const noexcept { return used() < bound_; }

  // --- A worker ---
  void reserve() noexcept {
    ++on_their_way_;
    ++workers_;
  }
  void give_reservation_back() noexcept {
    --on_their_way_;
    --workers_;
  }
  void arrive() noexcept { --on_their_way_; }
  void leave() noexcept { --workers_; }
  /// The worker has to leave before it takes another task: C2.
  bool is_wanted_back() const noexcept {
    if (TG_PLANTED(slots_worker_ignores_lender)) return false;
    return some_are_wanted_back() && used() > bound_;
  }
  bool some_are_wanted_back() const noexcept { return wanted_back_.load(std::memory_order_relaxed) > 0; }

  // --- A lender ---
  void lend() noexcept { ++lent_; }
  /// The lender continues, whether or not a slot is free: C1 says when.
  void take_back() noexcept { --lent_; }
  /// The lender waits for a slot, until `try_end_waiting` returns true or it calls `end_waiting`.
  void begin_waiting() noexcept { wanted_back_.fetch_add(1, std::memory_order_relaxed); }
  bool try_end_waiting() noexcept {
    if (workers_ - lent_ >= bound_) return false;
    end_waiting();
    return true;
  }
  /// The lender continues, with a slot or (if the event is set) beyond the bound.
  void end_waiting() noexcept {
    --lent_;
    wanted_back_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  // By workers that can run, and by lenders that wait for one.
  std::size_t used() const noexcept {
    return workers_ - lent_ + wanted_back_.load(std::memory_order_relaxed);
  }

  const std::size_t bound_;
  std::uint32_t workers_ = 0;
  std::uint32_t on_their_way_ = 0;        // of the workers
  std::uint32_t lent_ = 0;                // of the workers, those whose task waits for another one
  Atomic<std::uint32_t> wanted_back_{0};  // of the lent slots; atomic: written under the pool's lock,
                                          // also read without
};

}  // namespace tg::inline v0::detail
