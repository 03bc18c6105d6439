// SPDX-License-Identifier: Apache-2.0
// The tasks of a group that have not begun, those that run, and how many of each there are.
//
// Two locks, as in the two-lock queue of M. Michael and M. Scott, "Simple, Fast, and Practical Non-Blocking
// and Blocking Concurrent Queue Algorithms" (1996): adders take `add_mutex_` and put tasks into `incoming_`;
// workers take `mutex_` and serve `queue_`, and when that is empty they move all of `incoming_` over at once.
// So adders and workers rarely meet. What tasks add to their own group goes into a queue of the worker that
// runs them, with a lock of its own (local_queue.hpp).
//
// Invariants (P3 and P4 are in README.md, C1 and C2 in slots.hpp)
//   P1. A task is counted exactly once: pending -> running -> done, or pending -> done without running. The
//       pending ones are those added but not begun (`added_ - begun_`, with those of the local queues). Each
//       list changes together with its counter, under its lock, and to have all counts of one moment takes
//       `mutex_`, then the locks of the local queues; what adders count is then one load. (Tasks taken out to
//       be skipped stay counted as pending until they are.)
//   P5. While a slot is free, no worker is on its way and nothing is pending, `call_worker_` is set: the
//       next adder clears it and starts a worker. It is set under `mutex_`, and every list is searched after
//       that: what was added before is found there, and an adder that comes later sees the flag. So a flow
//       that reads it as set under `mutex_` knows that nothing is pending outside `queue_`, or that an adder
//       is about to start a worker.
//   P6. Tasks that one thread added start in their order, except one that another task waits for. Once some
//       were moved from a local queue to the end of `queue_`, the local one is not served (L1) until `queue_`
//       was seen empty. The same holds for a new local queue of a thread that may have tasks in the lists
//       that all share (`Flow::shared_queues`).
//   P7. A task whose number is above `taken_up_to_`, and which is pending under all locks, is in one of the
//       lists, if the event is not set. (Below that number it may have been taken out to be skipped.)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/task.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/statistics.hpp>

#include "base/cache_line.hpp"
#include "base/planted.hpp"
#include "event/event.hpp"
#include "pool/local_queue.hpp"
#include "pool/pending_list.hpp"
#include "pool/task_list.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// The queues of one group and the counts of its tasks.
///
/// It starts no thread and runs no task; `Pool` and `Worker` do that, as the functions here tell them.
///
/// Thread safety: `add` and `local_queue_of_caller` from any thread, without a lock. The rest under
/// `mutex()`, which also guards those parts of the pool that have no lock of their own.
class TaskQueue {
 public:
  explicit TaskQueue(Node& node) noexcept : node_(node) {}
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// A flow that runs tasks of the queue, and the one that it runs now.
  struct Runner : RunningHere {
    using RunningHere::RunningHere;
    Runner* previous = nullptr;
    Runner* next = nullptr;
    bool busy = false;
  };

  /// Of the tasks that were running when the event was set, the one that has ended last.
  struct LastEnd {
    TimePoint at;
    std::string task;
  };
  struct Added {
    enum class Then : std::uint8_t {
      nothing,      // once it is in a list, the task may have been run and be gone
      call_worker,  // P5: the caller starts a worker
      refuse,       // the event is set: the task is counted, and in no list
      drains,       // nothing was done: the group drains, and takes only what comes from inside
    };
    std::uint64_t number;
    Then then;
  };

  Mutex& mutex() const noexcept TG_RETURN_CAPABILITY(mutex_) { return mutex_; }

  // --- Adding ---

  /// Adds the task to the list that all workers share.
  [[gnu::always_inline]] Added add(Task& task, bool from_inside = false) noexcept {
    const bool too_early =
        TG_PLANTED(pool_adder_looks_too_early) && !call_worker_.load(std::memory_order_relaxed);
    const bool drained_before = TG_PLANTED(drain_adder_looks_too_early) && node_.event().is_draining();
    MutexLock lock(add_mutex_);
    // First: then a setter of the event skips what is queued here, or this flow sees the event.
    bool drains = node_.event().watch();
    const bool refused = node_.event().is_set();
    if (TG_PLANTED(drain_adder_looks_too_early)) drains = drained_before;
    if (drains && !from_inside && !refused) [[unlikely]]
      return {0, Added::Then::drains};  // T6
    count_added_locked(1);
    const std::uint64_t number = ++numbers_;
    task.set_number(number);
    if (refused) return {number, Added::Then::refuse};
    incoming_.push(task);
    const bool call = !too_early && call_worker_.load(std::memory_order_relaxed);
    if (!call) return {number, Added::Then::nothing};
    call_worker_.store(false, std::memory_order_relaxed);
    return {number, Added::Then::call_worker};
  }
  /// `add` by a task of the group: to the queue of its worker.
  Added add_local(LocalQueue& local, Task& task) noexcept {
    if (!local.has_number()) {
      MutexLock lock(add_mutex_);
      local.take_numbers(numbers_);
    }
    const std::uint64_t number = local.next_number();
    task.set_number(number);
    switch (local.add(task, node_.event(), call_worker_)) {
      case LocalQueue::Added::refused:
        return {number, Added::Then::refuse};
      case LocalQueue::Added::call_worker:
        return {number, Added::Then::call_worker};
      default:
        return {number, Added::Then::nothing};
    }
  }
  /// Counts the task as pending, to be skipped by the caller at once.
  void add_to_no_list(Task& task) noexcept {
    MutexLock lock(add_mutex_);
    count_added_locked(1);
    task.set_number(++numbers_);
  }
  /// When it returns, each flow that was adding a task has counted it.
  void pass_adders() noexcept { const MutexLock lock(add_mutex_); }
  /// The local queue of the worker that calls, if it runs a task of the group. It is opened when first asked
  /// for, because most tasks add none.
  LocalQueue* local_queue_of_caller() noexcept;
  /// The next adder starts a worker: sets `call_worker_`. For a caller that failed to start one.
  void arm_locked() noexcept TG_REQUIRES(mutex_) { call_worker_.store(true, std::memory_order_relaxed); }

  // --- Serving ---

  void enter_locked(Runner& runner) noexcept TG_REQUIRES(mutex_);
  void leave_locked(Runner& runner) noexcept TG_REQUIRES(mutex_);

  /// Fills the queue if it is empty: by a steal of what a blocked worker left, else from `incoming_`. In that
  /// order, because new tasks may never stop coming. True if there is a task to pop.
  bool fill_queue_locked(const LocalQueue* own) noexcept TG_REQUIRES(mutex_) {
    return !queue_.empty() || (!nothing_is_pending_locked() && (steal_locked(own, false) || refill_locked()));
  }
  /// Whether `begin_next_locked` would begin this one: none that its adder added before is pending.
  bool is_next_locked(const Task& task) noexcept TG_REQUIRES(mutex_) {
    return refill_if_empty_locked() && (queue_.front() == &task || TG_PLANTED(pool_helper_runs_another_task));
  }
  /// The next task, counted as running. Requires that there is one in the queue.
  Task& begin_next_locked(Runner& runner, TimePoint now) noexcept TG_REQUIRES(mutex_) {
    Task& task = *queue_.pop();
    __builtin_prefetch(queue_.front());  // the next worker needs it at once
    if (task.is_claimable()) static_cast<ClaimableTask&>(task).begin();
    ++begun_;
    begin_locked(runner, task, now);
    return task;
  }
  /// Takes out a task that a task of the group waits for, wherever it is, and counts it as running on
  /// `runner`, which enters. False if it is not pending, or about to be skipped.
  bool claim_locked(ClaimableTask& wanted, Runner& runner, TimePoint now) noexcept TG_REQUIRES(mutex_);
  void end_locked(Runner& runner, TaskStatus status) noexcept TG_REQUIRES(mutex_) {
    runner.busy = false;
    runner.end();
    --running_;
    count_done_locked(status);
  }
  /// Counts a task that has ended. (Local queues count the tasks that succeeded in them.)
  void count_done_locked(TaskStatus status) noexcept TG_REQUIRES(mutex_) {
    ++changes_;
    switch (status) {
      case TaskStatus::succeeded:
        ++succeeded_;
        return;
      case TaskStatus::stopped:
        ++stopped_;
        return;
      case TaskStatus::skipped:
        ++skipped_;
        return;
      default:
        ++failed_;
    }
  }
  /// A task that was taken out ended without having begun.
  void count_unrun_locked(TaskStatus status) noexcept TG_REQUIRES(mutex_) {
    ++begun_;
    count_done_locked(status);
  }
  /// Takes out a task that was added to what all workers share, as if it had not been added. False if it is
  /// not there any more. Linear, for the rare case.
  bool take_back_locked(std::uint64_t number) noexcept TG_REQUIRES(mutex_);

  bool queue_is_empty_locked() const noexcept TG_REQUIRES(mutex_) { return queue_.empty(); }
  /// Fills the queue from `incoming_` if it is empty. True if there is a task to pop.
  bool refill_if_empty_locked() noexcept TG_REQUIRES(mutex_) { return !queue_.empty() || refill_locked(); }
  bool queue_has_more_than_locked(std::size_t count) noexcept TG_REQUIRES(mutex_) {
    return refill_if_empty_locked() && queue_.has_more_than(count);
  }
  /// As `search_or_arm_locked`, but trusts `call_worker_` if it is set: P5.
  bool needs_worker_locked() noexcept TG_REQUIRES(mutex_) {
    if (!queue_.empty()) return true;
    return !call_worker_.load(std::memory_order_relaxed) && search_or_arm_locked();
  }
  /// The same for an adder that has cleared `call_worker_`. A task that is about to be skipped may count as
  /// pending here.
  bool adder_needs_worker_locked() noexcept TG_REQUIRES(mutex_) {
    return (first_local_ == nullptr && !nothing_is_pending_locked()) || needs_worker_locked();
  }
  /// For a worker that found nothing in the queue: false if it may leave. Trusts `call_worker_`, too.
  bool find_or_arm_locked(const LocalQueue* own) noexcept TG_REQUIRES(mutex_) {
    return !call_worker_.load(std::memory_order_relaxed) &&
           (steal_locked(own, true) || search_armed_locked());
  }
  /// True if anything is pending; else sets `call_worker_`, so that the next adder starts a worker.
  bool search_or_arm_locked() noexcept TG_REQUIRES(mutex_);
  /// Moves what another worker has in its local queue into the empty queue: what it leaves there, or all.
  /// False if there is none.
  bool steal_locked(const LocalQueue* own, bool at_once) noexcept TG_REQUIRES(mutex_);
  /// All that is pending, to be ended without having begun.
  TaskList take_all_locked() noexcept TG_REQUIRES(mutex_);

  /// P1: exact as long as there is no local queue; else "no". It takes no lock of the adders, so it does not
  /// replace the search that follows `arm_locked`: P5.
  bool nothing_is_pending_locked() const noexcept TG_REQUIRES(mutex_) {
    return first_local_ == nullptr && added_.load(std::memory_order_relaxed) == begun_;
  }
  /// Whether other workers have local queues, in which they may leave tasks.
  bool other_local_queues_locked(const LocalQueue& own) const noexcept TG_REQUIRES(mutex_) {
    return local_queues_ > (own.use == LocalQueue::Use::open ? 1U : 0U);
  }
  void close_locked(LocalQueue& local) noexcept TG_REQUIRES(mutex_);

  // --- Looking ---

  bool is_idle_locked() const noexcept TG_REQUIRES(mutex_) {
    if (running_ != 0) return false;
    return first_local_ == nullptr ? nothing_is_pending_locked() : count_locked().idle();
  }
  /// All counts of one moment, but for those of threads.
  GroupStatistics count_locked() const noexcept TG_REQUIRES(mutex_);
  std::uint64_t changes_locked() const noexcept TG_REQUIRES(mutex_);
  void count_change_locked() noexcept TG_REQUIRES(mutex_) { ++changes_; }
  std::vector<RunningTask> running_locked(TimePoint now) const TG_REQUIRES(mutex_);
  /// Keeps the later one; the other is the caller's.
  void note_last_end_locked(std::unique_ptr<LastEnd>& end) noexcept TG_REQUIRES(mutex_) {
    if (last_end_ == nullptr || last_end_->at <= end->at) last_end_.swap(end);
  }
  const LastEnd* last_end_locked() const noexcept TG_REQUIRES(mutex_) { return last_end_.get(); }
  bool runs_one_of_locked(const std::vector<std::uint64_t>& sorted_numbers) const noexcept
      TG_REQUIRES(mutex_);

 private:
  // Its bit in `Flow::shared_queues`. Pools that share a bit do no harm: a local queue waits for the pool's
  // needlessly.
  std::uint64_t shared_bit() const noexcept { return std::uint64_t{1} << (node_.id().value % 64); }

  void count_added_locked(std::uint64_t tasks) noexcept TG_REQUIRES(add_mutex_) {
    added_.store(added_.load(std::memory_order_relaxed) + tasks, std::memory_order_relaxed);
  }
  void begin_locked(Runner& runner, Task& task, TimePoint now) noexcept TG_REQUIRES(mutex_) {
    ++running_;
    runner.busy = true;
    runner.begin(task, now);
  }
  // Moves what was added from outside into the empty queue; false if there is nothing.
  bool refill_locked() noexcept TG_REQUIRES(mutex_) {
    MutexLock lock(add_mutex_);
    queue_ = incoming_.take_all();
    return !queue_.empty();
  }
  bool has_pending_locked() noexcept TG_REQUIRES(mutex_);
  // Sets the flag before it looks. For a caller that has found nothing before.
  bool search_armed_locked() noexcept TG_REQUIRES(mutex_);
  void open_locked(LocalQueue& local) noexcept TG_REQUIRES(mutex_);

  // Three parts on cache lines of their own: a line that both adders and workers write travels between
  // processors for each task. First what is rarely written while tasks come and go.
  Node& node_;
  Runner* first_runner_ TG_GUARDED_BY(mutex_) = nullptr;
  LocalQueue* first_local_ TG_GUARDED_BY(mutex_) = nullptr;
  std::uint16_t local_queues_ TG_GUARDED_BY(mutex_) = 0;
  std::uint16_t local_indices_ TG_GUARDED_BY(mutex_) = 0;  // a bit for each that is in use
  std::uint64_t failed_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t stopped_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t skipped_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t taken_up_to_ TG_GUARDED_BY(mutex_) = 0;  // P7

  // What adders write.
  alignas(kCacheLine) mutable Mutex add_mutex_ TG_ACQUIRED_AFTER(mutex_);
  Atomic<bool> call_worker_{true};  // P5; atomic: adders read and clear it under any of their locks
  PendingList incoming_ TG_GUARDED_BY(add_mutex_);
  Atomic<std::uint64_t> added_{0};  // P1; written under `add_mutex_`; atomic: read under `mutex_`
  std::uint64_t numbers_ TG_GUARDED_BY(add_mutex_) = 0;  // given to tasks so far

  // What workers write.
  alignas(kCacheLine) mutable Mutex mutex_;
  std::uint32_t running_ TG_GUARDED_BY(mutex_) = 0;
  PendingList queue_ TG_GUARDED_BY(mutex_);
  std::uint64_t begun_ TG_GUARDED_BY(mutex_) = 0;  // or ended without having begun
  std::uint64_t succeeded_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ TG_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<LastEnd> last_end_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::inline v0::detail
