// SPDX-License-Identifier: Apache-2.0
// What happens between the begin of a task and its end.
#include "pool/running.hpp"

#include <memory>
#include <new>

#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/scope_entry.hpp"

namespace tg::inline v0::detail {

namespace {
// The task is still in one piece.
[[gnu::cold]] void note_end_after_stop(PoolParts& pool, const Task& task) noexcept try {
  auto end = std::make_unique<TaskQueue::LastEnd>(TaskQueue::LastEnd{runtime::now(), task.name()});
  MutexLock lock(pool.queue.mutex());
  pool.queue.note_last_end_locked(end);
} catch (const std::bad_alloc&) {  // then an earlier one is the last
}
}  // namespace

TaskStatus Running::run(PoolParts& pool, Task& task, RunningHere& here, LocalQueue* local) noexcept {
  // Between the event and the setter's `skip_pending` a worker may take a task that must not run any more.
  const bool runs = !pool.node.event().is_set();
  const TaskStatus status = runs ? task.run(pool.node) : task.skip(pool.node.event().reason());
  if (here.is_in_forked_child()) return status;
  if (const Scope* const open = runtime::Flow::current_if_any()->scope) [[unlikely]]
    Scope::end_task_with_open(*open, task.name(), pool.node);
  if (runs && pool.node.event().is_set()) [[unlikely]]
    note_end_after_stop(pool, task);
  release_unless_failed(pool, task, status, here, local);
  // The destructors of the user's objects may have noted something, too.
  here.context->note.forget();
  return status;
}

void Running::end_local(PoolParts& pool, LocalQueue& local, RunningHere& here, Task& task, TaskStatus status,
                        TaskList& delivered) noexcept {
  if (status == TaskStatus::succeeded) return local.end(here, status);
  MutexLock lock(pool.queue.mutex());
  local.end(here, status);
  pool.queue.count_done_locked(status);
  if (status == TaskStatus::failed) pool.failures.push(task, delivered);
}

}  // namespace tg::inline v0::detail
