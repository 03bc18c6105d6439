// SPDX-License-Identifier: Apache-2.0
// A group's queue and its bounded workers.
//
// Invariants
//   P1. A task is counted exactly once: pending -> running -> done, or pending -> done without running. Queue
//   and counters
//       change in one critical section. (Tasks taken out to be skipped stay counted as pending until they
//       are.)
//   P2. workers_ - lent_ <= bound: the workers that can run are never more than the bound. The exception:
//   when the event is set,
//       a task that had lent its place goes on at once, for being told to stop must not wait.
//   P3. While the queue is not empty, a worker is on its way to it (starting_ > 0), or all places are taken
//   by workers that will look
//       at it after their task, or no thread can be had (then whoever failed to get one took care of the
//       queue). One wake-up in flight is enough: the worker that it brings starts the next one before it runs
//       its task.
//   P4. A worker holds a reference to the node, so the pool outlives its last touch, also when the group's
//   object is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include <threadgroup/base/mutex.hpp>
#include <threadgroup/event/wait_queue.hpp>
#include <threadgroup/pool/task.hpp>
#include <threadgroup/tree/node.hpp>
#include <threadgroup/tree/statistics.hpp>

namespace tg {

/// What a group does when one of its tasks fails.
enum class OnFailure {
  keep_going,  ///< the others go on; the failure waits for a join
  set_event,   ///< the others are told to stop, too
};

namespace detail {

/// The queue of one group, and the workers that serve it: at most `bound` at a time, taken from the process's
/// cache of threads when work arrives and given back when there is none left.
///
/// Guarantees: tasks start in the order in which one thread added them. Nothing of the user's runs under the
/// lock. Thread safety: everything from any thread. Lifetime: part of its node's object, see P4.
class Pool {
 public:
  Pool(Node& node, std::size_t bound, OnFailure on_failure) noexcept;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Takes the task over, and runs or skips it. Throws `std::system_error` or `std::bad_alloc` if there is no
  /// worker and none can be started; then the task is still the caller's.
  void add(Task& task);
  /// Skips whatever has not started, and says how many.
  std::size_t skip_pending(const ReasonPointer& reason) noexcept;

  std::size_t bound() const noexcept { return bound_; }
  bool idle() const;
  GroupStatistics statistics() const;
  std::vector<RunningTask> running_tasks() const;
  /// The failures that nobody has taken yet, in the order in which they happened.
  std::vector<Failure> take_failures();

  /// Released when the last task ends.
  WaitQueue& idle_waiters() noexcept { return idle_waiters_; }
  /// Released whenever a task ends and by `notify`; each raises `changes`.
  WaitQueue& change_waiters() noexcept { return change_waiters_; }
  std::uint64_t changes() const;
  void notify() noexcept;
  /// Waits until the counts say of these tasks (numbers, in order) that they are done. All of them have
  /// ended: a handle may know that a moment before the counts do.
  void wait_until_counted(const std::vector<std::uint64_t>& numbers) noexcept;

  /// A task of this pool waits for another one of it; see `Node::run_now`.
  bool run_now(Task& wanted) noexcept;
  /// A task of this pool is about to wait for another one of it: somebody else may use its place.
  void lend_place() noexcept;
  void reclaim_place() noexcept;
  bool wait_until_quiet(TimePoint deadline) noexcept;

 private:
  struct Worker;

  static void worker_main(void* pool) noexcept;
  void work() noexcept;
  bool may_start_locked() const noexcept TG_REQUIRES(mutex_);
  void reserve_worker_locked() noexcept TG_REQUIRES(mutex_);
  Task* next_task_locked() noexcept TG_REQUIRES(mutex_);
  void enter_locked(Worker& worker) noexcept TG_REQUIRES(mutex_);
  void leave_locked(Worker& worker) noexcept TG_REQUIRES(mutex_);
  void begin_locked(Worker& worker, Task& task) noexcept TG_REQUIRES(mutex_);
  TaskStatus run(Worker& worker, Task& task) noexcept;
  void end_locked(Worker& worker, Task& task, TaskStatus status, TaskList& stale) noexcept
      TG_REQUIRES(mutex_);
  void count_done_locked(Task& task, TaskStatus status, TaskList& stale) noexcept TG_REQUIRES(mutex_);
  void start_worker() noexcept;
  bool start_worker_for(std::uint64_t own, std::exception_ptr& error) noexcept;
  std::size_t end_unrun(TaskList tasks, const ReasonPointer& reason,
                        const std::exception_ptr& error) noexcept;
  void stop_on_failure(const Task& task) noexcept;
  void wake_waiters(bool idle) noexcept;
  void forget_name(Worker& worker) noexcept;

  // Constant after construction.
  Node& node_;
  const std::size_t bound_;
  const OnFailure on_failure_;

  mutable Mutex mutex_;
  TaskList queue_ TG_GUARDED_BY(mutex_);
  TaskList failures_ TG_GUARDED_BY(mutex_);
  std::size_t pending_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t running_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t succeeded_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t failed_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t skipped_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t added_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t workers_ TG_GUARDED_BY(mutex_) = 0;     // serving or on their way
  std::size_t starting_ TG_GUARDED_BY(mutex_) = 0;    // of them, on their way
  std::size_t lent_ TG_GUARDED_BY(mutex_) = 0;        // of them, waiting for another task
  std::size_t reclaiming_ TG_GUARDED_BY(mutex_) = 0;  // of the lent ones, done waiting and without a place
  Worker* first_worker_ TG_GUARDED_BY(mutex_) = nullptr;

  WaitQueue idle_waiters_;
  WaitQueue change_waiters_;
  WaitQueue place_waiters_;
};

}  // namespace detail
}  // namespace tg
