// SPDX-License-Identifier: Apache-2.0
// The workers: how one serves the queue, and how a task waits for another one. The invariants P1 to P5 stand
// in pool.hpp.
#include "pool/pool_worker.hpp"

#include <utility>

#include <threadgroup/base/spin.hpp>
#include <threadgroup/event/wait.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/flow.hpp>

namespace tg::detail {

namespace {
// How many tasks may stand on one stack, each waiting for the next. Beyond it they get threads of their own:
// a stack is smaller than the number of threads that a system can have.
constexpr std::size_t kDeepest = 64;

std::string name_of_task(const Task& task) { return task.name(); }
}  // namespace

// --- The worker ---

void Pool::worker_main(void* pool) noexcept { static_cast<Pool*>(pool)->work(); }

Task* Pool::next_task_locked() noexcept {
  // Somebody who lent a place wants it back: it goes before the queue.
  if (reclaiming_ > 0 && workers_ - lent_ + reclaiming_ > bound_) return nullptr;
  if (queue_.empty() && !refill_locked()) return nullptr;
  Task* const task = queue_.pop();
  __builtin_prefetch(queue_.front());  // whoever takes it next will want it at once
  return task;
}

void Pool::forget_name(Worker& worker) noexcept {
  MutexLock lock(mutex_);
  worker.named = nullptr;
}

void Pool::enter_locked(Worker& worker) noexcept {
  worker.next = first_worker_;
  if (first_worker_ != nullptr) first_worker_->previous = &worker;
  first_worker_ = &worker;
}

void Pool::leave_locked(Worker& worker) noexcept {
  (worker.previous != nullptr ? worker.previous->next : first_worker_) = worker.next;
  if (worker.next != nullptr) worker.next->previous = worker.previous;
}

void Pool::begin_locked(Worker& worker, Task& task, TimePoint now) noexcept {
  ++begun_;
  ++running_;
  worker.busy = true;
  worker.named = task.given_name() == nullptr ? nullptr : &task;
  worker.number = task.number();
  worker.since = now;
}

// Runs the task with no lock held, and lets go of it unless it failed.
TaskStatus Pool::run(Worker& worker, Task& task) noexcept {
  // Between the event and the setter's `skip_pending` a worker may come to a task that must not run any more.
  const TaskStatus status = node_.event().is_set() ? task.skip(node_.event().reason()) : task.run(node_);
  if (runtime::fork_generation() != worker.fork_generation) return status;
  if (status == TaskStatus::failed) {
    stop_on_failure(task);
  } else {
    if (worker.named != nullptr) forget_name(worker);
    task.release();  // before it counts as done: a join covers the end of the user's objects, too
  }
  return status;
}

void Pool::end_locked(Worker& worker, Task& task, TaskStatus status, TaskList& stale) noexcept {
  worker.busy = false;
  worker.named = nullptr;
  worker.number = 0;
  --running_;
  count_done_locked(task, status, stale);
}

void Pool::work() noexcept {
  runtime::Flow& flow = runtime::Flow::current();
  flow.set_os_name(node_.name());
  TaskContext context{&node_, nullptr, &name_of_task};
  flow.task = &context;
  flow.event = &node_.event();
  Worker self;
  TaskList stale;

  MutexLock lock(mutex_);
  --starting_;
  enter_locked(self);
  TimePoint now = runtime::coarse_now();
  while (Task* task = next_task_locked()) {
    begin_locked(self, *task, now);
    const bool start_next = reserve_worker_locked();  // P3
    lock.unlock();

    if (start_next) start_worker();
    while (Task* old = stale.pop()) old->release();
    context.task = task;
    const TaskStatus status = run(self, *task);
    // The task forked, and this is the child: the lock and the counts are the parent's.
    if (runtime::fork_generation() != self.fork_generation) return;
    context.task = nullptr;

    now = runtime::coarse_now();
    lock.lock();
    end_locked(self, *task, status, stale);
    const bool ran_dry = queue_.empty();
    if (ran_dry || !change_waiters_.empty()) {
      lock.unlock();
      change_waiters_.release_all();
      // It lets some come: a worker as fast as the adder would else fetch each task alone, and each such
      // meeting costs both of them more than the task. Not while it keeps what others want, or somebody waits
      // for idleness.
      if (ran_dry && flow.before_idle == nullptr) spin_briefly([this] { return !idle_waiters_.empty(); });
      lock.lock();
    }
  }

  --workers_;
  leave_locked(self);
  const bool idle_now = idle_locked();
  const bool hand_over = reclaiming_ > 0;
  lock.unlock();

  // Before anybody is woken: what the worker kept from task to task is what the woken will want.
  if (flow.before_idle != nullptr) std::exchange(flow.before_idle, nullptr)(flow);
  if (hand_over) place_waiters_.release_all();
  if (idle_now) idle_waiters_.release_all();
  // The group may be gone from the forest by now, and the destructors to come are the user's: what these make
  // must not hang below it.
  flow.task = nullptr;
  flow.event = nullptr;
  while (Task* old = stale.pop()) old->release();
  node_.release();  // P4: the last touch
}

// --- Waiting for one another ---

bool Pool::run_now(Task& wanted) noexcept {
  runtime::Flow& flow = runtime::Flow::current();
  TaskContext* const outer = TaskContext::current();
  // A task that waits inside a predicate has lent its place already; what ran here would have none.
  if (outer->place_is_lent || outer->depth() >= kDeepest) return false;
  Worker self;
  const TimePoint now = runtime::coarse_now();
  {
    MutexLock lock(mutex_);
    // Only the next in line: others would overtake those that were added before them.
    if (queue_.empty() && !refill_locked()) return false;
    if (queue_.front() != &wanted || node_.event().is_set()) return false;
    queue_.pop();
    enter_locked(self);
    begin_locked(self, wanted, now);
  }
  TaskContext context{&node_, &wanted, &name_of_task};
  context.outer = outer;
  flow.task = &context;
  const TaskStatus status = run(self, wanted);
  if (runtime::fork_generation() != self.fork_generation) return true;  // as in `work`
  flow.task = outer;
  TaskList stale;
  {
    MutexLock lock(mutex_);
    end_locked(self, wanted, status, stale);
    leave_locked(self);
  }
  change_waiters_.release_all();  // not idle: the task that waited is running
  while (Task* old = stale.pop()) old->release();
  return true;
}

// --- Lending ---

void Pool::lend_place() noexcept {
  bool start = false;
  bool hand_over = false;
  {
    MutexLock lock(mutex_);
    ++lent_;
    hand_over = reclaiming_ > 0;
    start = reserve_worker_locked();
  }
  if (hand_over) place_waiters_.release_all();
  if (start) start_worker();
}

void Pool::reclaim_place() noexcept {
  {
    MutexLock lock(mutex_);
    if (node_.event().is_set() || has_free_place_locked()) {
      --lent_;
      return;
    }
    ++reclaiming_;
  }
  const auto place_is_free = [this] {
    MutexLock lock(mutex_);
    if (workers_ - lent_ >= bound_) return false;
    --lent_;
    --reclaiming_;
    return true;
  };
  if (wait(place_waiters_, place_is_free, {&node_.event(), nullptr}, TimePoint::never()) !=
      WaitOutcome::ready) {
    MutexLock lock(mutex_);
    --lent_;
    --reclaiming_;
  }
}

}  // namespace tg::detail
