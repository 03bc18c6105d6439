// SPDX-License-Identifier: Apache-2.0
// The run of one task, and its end.
#pragma once

#include <threadgroup/detail/task.hpp>
#include <threadgroup/outcomes.hpp>

#include "pool/local_queue.hpp"
#include "pool/parts.hpp"
#include "pool/task_list.hpp"

namespace tg::inline v0::detail {

/// Runs a task that its flow has taken out of a list, and counts its end.
///
/// Thread safety: everything from any thread; `end_locked` under the queue's lock, the others with no lock held.
class Running {
 public:
  /// Runs the task, or skips it if the event is set, and releases it unless it failed. `here` is guarded by the lock
  /// of the local queue, or by the pool's if that is null.
  static TaskStatus run(PoolParts& pool, Task& task, RunningHere& here, LocalQueue* local) noexcept;
  /// What follows the run of a task, or that it was skipped, and comes before it counts as done: a join covers the end
  /// of the user's objects, too. A failed task stays for the list of failures, and stops the group if the options
  /// say so.
  static void release_unless_failed(PoolParts& pool, Task& task, TaskStatus status, RunningHere& here,
                                    LocalQueue* local) noexcept {
    if (status == TaskStatus::failed) return pool.failure_stop.stop(task);
    if (here.named != nullptr) forget_name(pool, here, local);
    task.release();
  }
  /// Counts the end of a task of the local queue.
  static void end_local(PoolParts& pool, LocalQueue& local, RunningHere& here, Task& task, TaskStatus status,
                        TaskList& delivered) noexcept;
  /// Counts the end of any other task; a failed one goes into the list of failures.
  static void end_locked(PoolParts& pool, TaskQueue::Runner& runner, Task& task, TaskStatus status,
                         TaskList& delivered) noexcept TG_REQUIRES(pool.queue.mutex()) {
    pool.queue.end_locked(runner, status);
    if (status == TaskStatus::failed) pool.failures.push(task, delivered);
  }

 private:
  static void forget_name(PoolParts& pool, RunningHere& here, LocalQueue* local) noexcept {
    if (local != nullptr) return local->forget_name(here);
    MutexLock lock(pool.queue.mutex());
    here.named = nullptr;
  }
};

}  // namespace tg::inline v0::detail
