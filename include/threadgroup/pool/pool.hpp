// SPDX-License-Identifier: Apache-2.0
// A group's queue and its bounded workers.
//
// Two locks, as in the two-lock queue of M. Michael and M. Scott, "Simple, Fast, and Practical Non-Blocking
// and Blocking Concurrent Queue Algorithms" (1996): adders take `add_mutex_` and put tasks into `incoming_`;
// workers take `mutex_` and serve `queue_`, and when that is empty they move all of `incoming_` over at once.
// So those who add and those who work rarely meet. What tasks add to their own group goes into a queue of the
// worker that runs them, with a lock of its own (src/pool/local_queue.hpp).
//
// Invariants
//   P1. A task is counted exactly once: pending -> running -> done, or pending -> done without running. The
//       pending ones are those added but not begun (`added_ - begun_`, with those of the local queues). Each
//       list changes together with its counter, under its lock, and whoever wants all counts holds all
//       locks: `mutex_`, then those of the local queues, then `add_mutex_`. (Tasks taken out to be skipped
//       stay counted as pending until they are.)
//   P2. workers_ - lent_ <= bound: the workers that can run are never more than the bound. But when the event
//       is set, a task that had lent its place goes on at once. Being told to stop must not wait.
//   P3. While a task is pending, a worker is on its way (starting_ > 0), or an awake one has yet to look into
//       all lists, or all places are taken by workers that will do so after their tasks, or an adder is on
//       its way to bring one. A worker that waits for a thread (`request_`) is on its way, too. One wake-up
//       in flight is enough: a worker that begins a task while nobody is on the way starts the next one
//       before it runs the task; or a few, where threads have to be made, each only while more tasks stand in
//       the queue than workers are on the way.
//   P4. A worker holds a reference to the node, so the pool outlives its last touch, also when the group's
//       object is gone.
//   P5. While a place is free, nobody is on the way and nothing is pending, `call_worker_` is set: whoever
//       adds next clears it and comes to bring a worker. Whoever sets it does so under `mutex_` and looks
//       into every list after that: what was added before is found there, and who adds later sees it set.
//       Reading it as set under `mutex_` is enough to know that nothing is pending outside `queue_`, or that
//       an adder has yet to come here.
//   P6. Tasks that one thread added start in their order. Once some were moved from a local queue to the end
//       of `queue_`, the local one is not served (L1) until `queue_` was seen empty. The same holds for a new
//       local queue of a thread that may have tasks in the lists that all share (`Flow::shared_queues`).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include <threadgroup/base/cache_line.hpp>
#include <threadgroup/base/mutex.hpp>
#include <threadgroup/event/wait_queue.hpp>
#include <threadgroup/pool/failure_list.hpp>
#include <threadgroup/pool/task.hpp>
#include <threadgroup/runtime/threads.hpp>
#include <threadgroup/tree/node.hpp>
#include <threadgroup/tree/statistics.hpp>

namespace tg {

/// What a group does when one of its tasks fails.
enum class OnFailure {
  keep_going,  ///< the others go on; the failure waits for a join
  set_event,   ///< the others are told to stop, too
};

namespace detail {

class LocalQueue;
struct RunningHere;

/// The queue of one group, and the workers that serve it: at most `bound` at a time, taken from the process's
/// cache of threads when work arrives and given back when there is none left.
///
/// Guarantees: tasks start in the order in which one thread added them. Nothing of the user's runs under the
/// lock. Thread safety: everything from any thread. Lifetime: part of its node's object, see P4.
class Pool {
 public:
  Pool(Node& node, std::size_t bound, OnFailure on_failure);
  /// Releases failures that could not be delivered because there was no memory.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Takes the task over, and runs or skips it. Throws `std::system_error` or `std::bad_alloc` if there is no
  /// worker and none can be started; then the task is still the caller's. If there are workers, but not as
  /// many as the bound allows and no thread can be had for one more, the pool waits for a thread.
  void add(Task& task);
  /// Skips whatever has not started, and says how many.
  std::size_t skip_pending(const ReasonPointer& reason) noexcept;

  std::size_t bound() const noexcept { return bound_; }
  bool idle() const;
  GroupStatistics statistics() const;
  std::vector<RunningTask> running_tasks() const;
  /// The failures that nobody has taken yet, in the order in which they happened.
  std::vector<Failure> take_failures();
  /// For the last owner, when nobody else can touch the pool any more.
  bool has_failures_at_the_end() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS { return !failures_.empty(); }

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
  static void late_worker_main(void* pool) noexcept;
  void work() noexcept;
  int serve_local(LocalQueue& local, TaskContext& context, TaskList& stale) noexcept;
  void end_local(LocalQueue& local, RunningHere& here, Task& task, TaskStatus status,
                 TaskList& stale) noexcept;
  LocalQueue* local_queue_of_caller() noexcept;
  void add_local(LocalQueue& local, Task& task);
  void refuse(Task& task) noexcept;
  void close_locked(LocalQueue& local) noexcept TG_REQUIRES(mutex_);
  bool refill_locked() noexcept TG_REQUIRES(mutex_);
  void open_locked(LocalQueue& local) noexcept TG_REQUIRES(mutex_);
  bool steal_locked(const LocalQueue* own, bool at_once) noexcept TG_REQUIRES(mutex_);
  bool is_work_left_locked() noexcept TG_REQUIRES(mutex_);
  TaskList take_all_locked() noexcept TG_REQUIRES(mutex_);
  bool reserve_worker_locked() noexcept TG_REQUIRES(mutex_);
  void reserve_locked() noexcept TG_REQUIRES(mutex_);
  void bring_worker(std::uint64_t number);
  bool place_is_wanted_back_locked() const noexcept TG_REQUIRES(mutex_);
  void enter_locked(Worker& worker) noexcept TG_REQUIRES(mutex_);
  void leave_locked(Worker& worker) noexcept TG_REQUIRES(mutex_);
  void begin_locked(Worker& worker, Task& task, TimePoint now) noexcept TG_REQUIRES(mutex_);
  TaskStatus run(Task& task, RunningHere& here, Mutex& guard) noexcept;
  void end_locked(Worker& worker, Task& task, TaskStatus status, TaskList& stale) noexcept
      TG_REQUIRES(mutex_);
  void count_done_locked(Task& task, TaskStatus status, TaskList& stale) noexcept TG_REQUIRES(mutex_);
  GroupStatistics count_locked() const noexcept TG_REQUIRES(mutex_);
  bool idle_locked() const noexcept TG_REQUIRES(mutex_) { return running_ == 0 && count_locked().idle(); }
  bool has_free_place_locked() const noexcept TG_REQUIRES(mutex_) {
    return workers_ - lent_ + reclaiming_.load(std::memory_order_relaxed) < bound_;
  }
  enum class Started { woken, made, waits, failed_for_own };
  void start_workers() noexcept;
  Started start_worker_for(std::uint64_t own, std::exception_ptr& error) noexcept;
  Started wait_for_thread_or_give_up(std::uint64_t own, const std::exception_ptr& error) noexcept;
  void withdraw_request_locked() noexcept TG_REQUIRES(mutex_);
  void report_shortage(const std::exception_ptr& error) noexcept;
  std::size_t end_unrun(TaskList tasks, const ReasonPointer& reason,
                        const std::exception_ptr& error) noexcept;
  void stop_on_failure(const Task& task) noexcept;
  void wake_waiters(bool idle) noexcept;

  // Three parts on cache lines of their own: a line that both adders and workers write travels between
  // processors for each task.

  // What is rarely written while tasks come and go.
  Node& node_;
  const std::size_t bound_;
  const OnFailure on_failure_;
  std::atomic<SharedReason*> failure_reason_;  // made beforehand, for the first failure that stops the group;
                                               // atomic: several tasks may fail at the same moment
  std::atomic<std::uint32_t> reclaiming_{0};   // of the lent places, those whose task is done waiting and has
                                               // none; atomic: written under `mutex_`, also read without
  WaitQueue idle_waiters_;
  WaitQueue change_waiters_;
  WaitQueue place_waiters_;
  Worker* first_worker_ TG_GUARDED_BY(mutex_) = nullptr;
  LocalQueue* first_local_ TG_GUARDED_BY(mutex_) = nullptr;
  std::uint32_t local_queues_ TG_GUARDED_BY(mutex_) = 0;
  FailureList failures_ TG_GUARDED_BY(mutex_);
  std::uint64_t failed_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t skipped_ TG_GUARDED_BY(mutex_) = 0;
  runtime::WaitingJob request_{{&Pool::late_worker_main, this}};  // the thread cache's while it waits there
  bool has_request_ TG_GUARDED_BY(mutex_) = false;  // of the workers on their way, one waits for a thread

  // What adders write.
  alignas(kCacheLine) mutable Mutex add_mutex_ TG_ACQUIRED_AFTER(mutex_);
  std::atomic<bool> call_worker_{true};  // P5; atomic: adders read and clear it under any of their locks
  TaskList incoming_ TG_GUARDED_BY(add_mutex_);
  std::uint64_t added_ TG_GUARDED_BY(add_mutex_) = 0;
  std::uint64_t numbers_ TG_GUARDED_BY(add_mutex_) = 0;  // given to tasks so far
  // Rarely written and not an adder's, but there is room for it on this line and none on the first ones.
  std::uint64_t stopped_ TG_GUARDED_BY(mutex_) = 0;

  // What workers write.
  alignas(kCacheLine) mutable Mutex mutex_;
  std::uint32_t running_ TG_GUARDED_BY(mutex_) = 0;
  std::uint32_t workers_ TG_GUARDED_BY(mutex_) = 0;   // serving or on their way
  std::uint32_t starting_ TG_GUARDED_BY(mutex_) = 0;  // of them, on their way
  std::uint32_t lent_ TG_GUARDED_BY(mutex_) = 0;      // of them, waiting for another task
  TaskList queue_ TG_GUARDED_BY(mutex_);
  std::uint64_t begun_ TG_GUARDED_BY(mutex_) = 0;  // or ended without having begun
  std::uint64_t succeeded_ TG_GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ TG_GUARDED_BY(mutex_) = 0;
};

}  // namespace detail
}  // namespace tg
