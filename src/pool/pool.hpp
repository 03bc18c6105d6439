// SPDX-License-Identifier: Apache-2.0
// What runs the tasks of one group. The protocol of its parts is explained in README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/task.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/options.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/statistics.hpp>

#include "base/planted.hpp"
#include "pool/failure_list.hpp"
#include "pool/failure_stop.hpp"
#include "pool/room.hpp"
#include "pool/slots.hpp"
#include "pool/task_list.hpp"
#include "pool/task_queue.hpp"
#include "pool/thread_supply.hpp"
#include "runtime/engine.hpp"
#include "tree/node.hpp"
#include "tree/subtree_bound.hpp"

namespace tg::inline v0::detail {

/// The queue of one group, and the workers that serve it: at most `bound` at a time, on threads that are
/// taken from the process's cache when work arrives and given back when none is left.
///
/// Guarantees: tasks start in the order in which one thread added them, except one that another task waits
/// for. No user code runs under a lock.
/// Thread safety: everything from any thread.
/// Lifetime: part of its node's object; a worker holds a reference to the node (P4), so the pool outlives its
/// last use, even if the group's object is gone.
class Pool {
 public:
  Pool(Node& node, std::size_t bound, OnFailure on_failure, std::optional<std::size_t> max_pending = {});
  /// Releases failures that could not be delivered because there was no memory.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Takes the task over, and runs or skips it. Throws `std::system_error` or `std::bad_alloc` if there is no
  /// worker and none can be started; then the task is still the caller's. If there are workers, fewer than
  /// the bound allows, and no thread can be started for another one, the pool waits for a thread. If no room
  /// is left, it waits for room (see `Room`).
  void add(Task& task) {
    if (room_ != nullptr) [[unlikely]]
      return add_when_there_is_room(task);
    put(task);
  }
  /// The same in two steps, the first of which does not wait: false if there is no room. After it, either of
  /// the other two has to follow.
  bool try_take_place() noexcept;
  void add_to_place(Task& task);
  void give_places_back(std::size_t places) noexcept {
    if (room_ != nullptr) [[unlikely]]
      room_->give_back(places);
  }
  bool has_room_limit() const noexcept { return room_ != nullptr; }
  /// Skips the tasks that have not started, and says how many.
  std::size_t skip_pending(const ReasonPointer& reason) noexcept;
  /// Skips one task of this pool, of which the caller holds a reference; false if it has begun.
  bool skip(ClaimableTask& task, const ReasonPointer& reason) noexcept;

  std::size_t bound() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS { return slots_.bound(); }  // constant
  bool keeps_going() const noexcept { return failure_stop_.keeps_going(); }
  bool idle() const;
  /// Idle, and no failure is left for `take_failures`. For the destructor: then it has left the queues, too.
  bool is_over_without_failures() noexcept;
  /// For the destructor, when the pool is idle and no task is added any more: the group leaves the queues for
  /// a thread and for permits.
  void leave_queues() noexcept;
  GroupStatistics statistics() const;
  std::vector<RunningTask> running_tasks() const;
  /// Nothing if the event is not set, or no task was running then.
  std::optional<StopLatency> stop_latency() const;
  /// The failures that have not been delivered, in the order in which they happened.
  std::vector<Failure> take_failures();
  /// For the last owner, when no other flow can touch the pool any more.
  bool has_failures_at_the_end() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS { return !failures_.empty(); }

  /// Released when the last task ends.
  WaitQueue& idle_waiters() noexcept { return idle_waiters_; }
  /// Released whenever a task ends and by `notify`; both increment `changes`.
  WaitQueue& change_waiters() noexcept { return change_waiters_; }
  std::uint64_t changes() const;
  void notify() noexcept;
  /// Waits until these tasks (sorted numbers) are counted as done. Requires: all have ended; a handle may
  /// show that before the counts do.
  void wait_until_counted(const std::vector<std::uint64_t>& numbers) noexcept;

  /// A task of this pool waits for another one of it; see `Node::run_now`.
  bool run_now(Task& wanted) noexcept;
  /// The calling flow, which is in no task of this pool, waits until the pool is idle: it runs tasks of the
  /// queue itself while there are any and a slot is free, as far as its stack allows. True if it was a worker
  /// and found the pool idle as it left; then `counts` are those of that moment.
  bool help(GroupStatistics& counts) noexcept;
  /// The same for one task that it waits for; see `Node::help_with`. True if it has run this task.
  bool help_with(const Task& wanted) noexcept;
  /// A task of this pool is about to wait for another one of it: another worker may use its slot.
  void lend_slot() noexcept;
  void reclaim_slot() noexcept;
  bool permit_is_free(const Permits& permits) noexcept;
  bool wait_until_quiet(TimePoint deadline) noexcept;
  /// See `Node`.
  void pass_adders() noexcept { queue_.pass_adders(); }
  WaitOutcome wait_until_idle(FunctionRef<bool()> or_else, const WatchedEvents& events, TimePoint deadline);

 private:
  friend class Worker;
  friend class Lending;
  friend class Skipping;

  // How many threads a worker makes before it runs its task. glibc keeps some 650 bytes for each thread that
  // has made one; with four, that is a quarter of the threads. More would delay the task for little gain. But
  // on a busy machine it takes long until a new thread begins to run; until one has, the worker goes on.
  static constexpr std::uint32_t kLeastMadeInTurn = runtime::kIsExplored ? 1 : 4;

  bool reserve_worker_locked() noexcept TG_REQUIRES(queue_.mutex()) {
    if (slots_.on_their_way() != 0 || !slots_.has_free() || !queue_.needs_worker_locked()) return false;
    if (!has_permit_for_next_locked()) return false;
    slots_.reserve();
    return true;
  }
  /// Whether the group's claim has a permit for the next task; if not, it waits for one: P3.
  bool has_permit_for_next_locked() noexcept TG_REQUIRES(queue_.mutex()) {
    return !node_.is_limited() || claim_has_permit_for_next_locked();
  }
  bool claim_has_permit_for_next_locked() noexcept TG_REQUIRES(queue_.mutex());
  OwedPermits withdraw_claim_locked() noexcept TG_REQUIRES(queue_.mutex());
  /// For where the claim may have become useless, because nothing is pending or no slot is free.
  OwedPermits withdraw_useless_claim_locked() noexcept TG_REQUIRES(queue_.mutex()) {
    return node_.is_limited() && claim_is_useless_locked() ? withdraw_claim_locked() : OwedPermits();
  }
  bool claim_is_useless_locked() noexcept TG_REQUIRES(queue_.mutex());
  void pass_unused_permits_on() noexcept;
  void withdraw_claim_at_the_end() noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
    withdraw_claim_locked().give_back();
  }
  OwedPermits leave_queues_locked() noexcept TG_REQUIRES(queue_.mutex());
  /// Without the lock, for a check between two tasks.
  bool some_slots_are_wanted_back() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
    return slots_.some_are_wanted_back();
  }
  void put(Task& task);
  void add_when_there_is_room(Task& task);
  bool has_no_worker_for_pending() const noexcept;
  void a_task_has_begun() noexcept {
    if (!TG_PLANTED(room_begun_task_keeps_its_place)) give_places_back(1);
  }
  void after_adding(Task& task, TaskQueue::Added added) {
    using Then = TaskQueue::Added::Then;
    if (added.then == Then::nothing) [[likely]]
      return;
    if (added.then == Then::refuse) return refuse(task);
    if (added.then == Then::drains) [[unlikely]]
      return add_to_draining(task);
    start_worker_if_needed(added.number);
  }
  void start_worker_if_needed(std::uint64_t number);
  /// Nothing is pending, and a worker on its way will search all lists: P3. So no flag is needed that makes
  /// the next adder start one.
  bool a_worker_will_look_locked() const noexcept TG_REQUIRES(queue_.mutex()) {
    const bool one_is_coming = slots_.on_their_way() != 0 || TG_PLANTED(pool_helper_trusts_that_one_comes);
    return one_is_coming && queue_.nothing_is_pending_locked();
  }
  bool take_slot_to_help_locked() noexcept TG_REQUIRES(queue_.mutex());
  bool take_slot_locked() noexcept TG_REQUIRES(queue_.mutex());
  GroupStatistics count_locked() const noexcept TG_REQUIRES(queue_.mutex());
  void start_workers(bool even_if_one_is_coming) noexcept;
  bool needs_more_threads_locked() noexcept TG_REQUIRES(queue_.mutex());
  /// Whether the calling worker makes the next threads, instead of the worker whose turn it was.
  bool take_over_locked() noexcept TG_REQUIRES(queue_.mutex()) {
    return made_in_turn_ >= kLeastMadeInTurn && try_take_over_locked();
  }
  bool try_take_over_locked() noexcept TG_REQUIRES(queue_.mutex());
  // `not_made`: a thread is coming already, or the request waits for one, or none is needed any more.
  enum class Started { made, not_made, failed_for_own };
  Started start_worker_for(std::uint64_t own, bool even_if_one_is_coming, int& error) noexcept;
  Started wait_for_thread_or_give_up(std::uint64_t own) noexcept;
  bool withdraw_request_locked() noexcept TG_REQUIRES(queue_.mutex());
  void withdraw_request_if_done_locked() noexcept TG_REQUIRES(queue_.mutex());
  void request_another_turn_locked() noexcept TG_REQUIRES(queue_.mutex());

  TaskStatus run(Task& task, RunningHere& here, LocalQueue* local) noexcept;
  void end_local(LocalQueue& local, RunningHere& here, Task& task, TaskStatus status,
                 TaskList& delivered) noexcept;
  void refuse(Task& task) noexcept;
  void note_end_after_stop(const Task& task) noexcept;
  void add_to_draining(Task& task);
  void wake_waiters(bool idle) noexcept;

  // Rarely written while tasks come and go.
  Node& node_;
  FailureStop failure_stop_;
  const std::unique_ptr<Room> room_;  // null: no limit
  WaitQueue idle_waiters_;
  WaitQueue change_waiters_;
  WaitQueue slot_waiters_;  // released whenever a slot may have become free for one that is wanted back
  Slots slots_ TG_GUARDED_BY(queue_.mutex());
  // Workers take turns at making threads: which turn it is, and how many threads were made in it.
  std::uint32_t makers_turn_ TG_GUARDED_BY(queue_.mutex()) = 0;
  std::uint32_t made_in_turn_ TG_GUARDED_BY(queue_.mutex()) = 0;
  FailureList failures_ TG_GUARDED_BY(queue_.mutex());
  ThreadSupply supply_;

  TaskQueue queue_;  // on cache lines of its own
};

}  // namespace tg::inline v0::detail
