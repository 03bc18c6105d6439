// SPDX-License-Identifier: Apache-2.0
// Skipping all tasks, or one.
#include "pool/skipping.hpp"

#include <threadgroup/outcomes.hpp>

#include "base/planted.hpp"
#include "pool/group_claim.hpp"
#include "pool/running.hpp"
#include "pool/starting.hpp"
#include "pool/task_queue.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/subtree_bound.hpp"

namespace tg::inline v0::detail {

void Skipping::in_no_list(PoolParts& pool, Task& task, const ReasonPointer& reason) noexcept {
  TaskList one;
  one.push(task);
  end_unrun(pool, one, reason);
}

// Skips tasks (at least one) that are counted as pending and in no queue. Says how many.
std::size_t Skipping::end_unrun(PoolParts& pool, TaskList tasks, const ReasonPointer& reason) noexcept {
  bool idle_now = false;
  std::size_t count = 0;
  TaskList delivered;
  TaskQueue::Runner self;  // not busy, but about to count its task
  {
    MutexLock lock(pool.queue.mutex());
    self.number = tasks.front()->number();
    pool.queue.enter_locked(self);
  }
  while (Task* task = tasks.pop()) {
    ++count;
    const TaskStatus status = task->skip(reason);
    Running::release_unless_failed(pool, *task, status, self, nullptr);
    MutexLock lock(pool.queue.mutex());
    pool.queue.count_unrun_locked(status);
    if (status == TaskStatus::failed) pool.failures.push(*task, delivered);
    self.number = tasks.empty() ? 0 : tasks.front()->number();
    if (tasks.empty()) pool.queue.leave_locked(self);
    idle_now = pool.queue.is_idle_locked();
  }
  pool.wake_waiters(idle_now);
  delivered.release_all();
  return count;
}

std::size_t Skipping::all_pending(PoolParts& pool, const ReasonPointer& reason) noexcept {
  TaskList tasks;
  OwedPermits owed;
  {
    MutexLock lock(pool.queue.mutex());
    tasks = pool.queue.take_all_locked();
    Starting::withdraw_request_if_done_locked(pool);  // there may be no worker that would do it as it leaves
    owed = GroupClaim::withdraw_if_useless_locked(pool);
  }
  owed.give_back();
  const std::size_t skipped = tasks.empty() ? 0 : end_unrun(pool, tasks, reason);
  pool.give_room_back(skipped);
  return skipped;
}

// The steps of a flow that runs the task, without the run.
bool Skipping::one(PoolParts& pool, ClaimableTask& task, const ReasonPointer& reason) noexcept {
  TaskQueue::Runner self;
  {
    MutexLock lock(pool.queue.mutex());
    if (!pool.queue.claim_locked(task, self, runtime::coarse_now())) return false;
  }
  pool.a_task_has_begun();
  const TaskStatus status = task.skip(reason);
  Running::release_unless_failed(pool, task, status, self, nullptr);
  TaskList delivered;
  bool idle_now = false;
  OwedPermits owed;
  {
    MutexLock lock(pool.queue.mutex());
    Running::end_locked(pool, self, task, status, delivered);
    pool.queue.leave_locked(self);
    idle_now = pool.queue.is_idle_locked();
    // It may have been the last one that was pending, and there may be no worker.
    if (!TG_PLANTED(subtree_claim_outlives_its_group)) owed = GroupClaim::withdraw_if_useless_locked(pool);
  }
  owed.give_back();
  pool.wake_waiters(idle_now);
  delivered.release_all();
  return status == TaskStatus::skipped;
}

}  // namespace tg::inline v0::detail
