// SPDX-License-Identifier: Apache-2.0
// What runs the tasks of one group. The protocol of its parts is explained in README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

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

#include "pool/parts.hpp"
#include "pool/task_queue.hpp"
#include "tree/node.hpp"
#include "tree/subtree_bound.hpp"

namespace tg::inline v0::detail {

/// The queue of one group, and the workers that serve it: at most `bound` at a time, on threads that are
/// taken from the process's cache when work arrives and given back when none is left.
///
/// This class is the interface: it adds tasks, and passes the rest to the classes that `PoolParts` names.
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
    if (parts_.room != nullptr) [[unlikely]]
      return add_when_there_is_room(task);
    put(task);
  }
  /// The same in two steps, the first of which does not wait: false if there is no room. After it, either of
  /// the other two has to follow.
  bool try_take_room() noexcept;
  void add_to_room(Task& task);
  void give_room_back() noexcept { parts_.give_room_back(1); }
  /// Skips the tasks that have not started, and says how many.
  std::size_t skip_pending(const ReasonPointer& reason) noexcept;
  /// Skips one task of this pool, of which the caller holds a reference; false if it has begun.
  bool skip(ClaimableTask& task, const ReasonPointer& reason) noexcept;

  // No lock: it is constant.
  std::size_t bound() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS { return parts_.slots.bound(); }
  bool keeps_going() const noexcept { return parts_.failure_stop.keeps_going(); }
  bool idle() const;
  /// Idle, and no failure is left for `take_failures`. For the destructor: then it has left the queues, too.
  bool is_over_without_failures() noexcept;
  /// For the destructor, when the pool is idle and no task is added any more: the group leaves the queues for
  /// a thread and for permits.
  void leave_queues() noexcept;
  GroupStatistics statistics() const;
  std::vector<RunningTask> running_tasks(TimePoint now) const;
  /// Nothing if the event is not set, or no task was running then.
  std::optional<StopLatency> stop_latency() const;
  std::optional<Duration> stop_time() const noexcept;
  /// The failures that have not been delivered, in the order in which they happened.
  std::vector<Failure> take_failures();
  /// For the last owner, when no other flow can touch the pool any more.
  bool has_failures_at_the_end() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
    return !parts_.failures.empty();
  }

  /// Released when the last task ends.
  WaitQueue& idle_waiters() noexcept { return parts_.idle_waiters; }
  /// Released whenever a task ends and by `notify`; both increment `changes`.
  WaitQueue& change_waiters() noexcept { return parts_.change_waiters; }
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
  void wake_waiters() noexcept { parts_.wake_waiters(true); }
  bool wait_until_quiet(TimePoint deadline) noexcept;
  /// See `Node`.
  void pass_adders() noexcept { parts_.queue.pass_adders(); }
  WaitOutcome wait_until_idle(FunctionRef<bool()> or_else, const WatchedEvents& events, TimePoint deadline);

 private:
  void put(Task& task);
  void add_when_there_is_room(Task& task);
  void after_adding(Task& task, TaskQueue::Added added);
  void refuse(Task& task) noexcept;
  void add_to_draining(Task& task);
  template <class Use>
  void use_last_end(Use use) const;
  OwedPermits leave_queues_locked() noexcept TG_REQUIRES(parts_.queue.mutex());

  PoolParts parts_;
};

}  // namespace tg::inline v0::detail
