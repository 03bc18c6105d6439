// SPDX-License-Identifier: Apache-2.0
// The queue, the workers and the counts. The invariants P1 to P4 stand in the header.
#include <cstdio>
#include <utility>

#include <threadgroup/event/wait.hpp>
#include <threadgroup/pool/pool.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/flow.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/runtime/threads.hpp>
#include <threadgroup/tree/forest.hpp>

namespace tg::detail {

// What others may ask of a worker while it runs a task. It stands on the worker's stack; the pool's lock
// guards it.
struct Pool::Worker {
  Worker* previous = nullptr;
  Worker* next = nullptr;
  bool busy = false;
  Task* named = nullptr;     // the task, if it has a name; valid until `forget_name`
  std::uint64_t number = 0;  // the task's number
  TimePoint since;
  const std::uint32_t fork_generation = runtime::fork_generation();
};

namespace {
// How many tasks may stand on one stack, each waiting for the next. Beyond it they get threads of their own:
// a stack is smaller than the number of threads that a system can have.
constexpr std::size_t kDeepest = 64;
}  // namespace

Pool::Pool(Node& node, std::size_t bound, OnFailure on_failure) noexcept
    : node_(node), bound_(bound), on_failure_(on_failure) {}

// --- Adding ---

bool Pool::may_start_locked() const noexcept {
  return starting_ == 0 && !queue_.empty() && workers_ - lent_ + reclaiming_ < bound_;
}

void Pool::reserve_worker_locked() noexcept {
  ++starting_;
  ++workers_;
}

void Pool::add(Task& task) {
  node_.event().watch();  // first: from here on a setter comes to skip what we queue, or we see the event
  bool start = false;
  std::uint64_t number = 0;  // from the unlock on, the task may have been run and be gone
  {
    MutexLock lock(mutex_);
    number = ++added_;
    task.set_number(number);
    ++pending_;
    if (node_.event().is_set()) {
      lock.unlock();
      TaskList one;
      one.push(task);
      end_unrun(one, node_.event().reason(), nullptr);
      return;
    }
    queue_.push(task);
    start = may_start_locked();
    if (start) reserve_worker_locked();
  }
  if (!start) return;
  std::exception_ptr error;
  if (!start_worker_for(number, error)) std::rethrow_exception(error);
}

void Pool::start_worker() noexcept {
  std::exception_ptr error;
  start_worker_for(0, error);
}

// Brings the worker that was reserved. If none can be had and nobody is left who could ever serve the queue,
// the tasks in it fail, so that nobody waits for them in vain; but the one of the number `own` is taken back,
// and the answer is false.
bool Pool::start_worker_for(std::uint64_t own, std::exception_ptr& error) noexcept {
  node_.add_reference();  // P4
  try {
    runtime::ThreadCache::instance().start({&Pool::worker_main, this});
    return true;
  } catch (...) {
    error = std::current_exception();
  }
  bool taken_back = false;
  bool idle_now = false;
  TaskList lost;
  {
    MutexLock lock(mutex_);
    --starting_;
    --workers_;
    if (workers_ == lent_) {
      taken_back = own != 0 && queue_.remove(own);
      if (taken_back) {
        --pending_;
        ++changes_;
        idle_now = pending_ == 0 && running_ == 0;
      }
      lost = queue_.take_all();
    }
  }
  place_waiters_.release_all();            // the reserved place is free again
  if (taken_back) wake_waiters(idle_now);  // a join may have seen the task that now never was
  if (!lost.empty()) end_unrun(lost, {}, error);
  node_.release();
  return !taken_back;
}

// --- Ending ---

// Counts the task as done. A failed one joins the failures; those at their head that somebody took through a
// handle go to `stale`, to be released outside the lock.
void Pool::count_done_locked(Task& task, TaskStatus status, TaskList& stale) noexcept {
  ++changes_;
  switch (status) {
    case TaskStatus::succeeded:
      ++succeeded_;
      return;
    case TaskStatus::skipped:
      ++skipped_;
      return;
    default:
      break;
  }
  ++failed_;
  while (!failures_.empty() && failures_.front()->failure_is_claimed()) stale.push(*failures_.pop());
  failures_.push(task);
}

// Ends tasks that are counted as pending and in no queue: they fail with the error if there is one, else they
// are skipped for the reason. Says how many.
std::size_t Pool::end_unrun(TaskList tasks, const ReasonPointer& reason,
                            const std::exception_ptr& error) noexcept {
  bool idle_now = false;
  std::size_t count = 0;
  TaskList stale;
  while (Task* task = tasks.pop()) {
    ++count;
    const TaskStatus status = error ? task->fail(error) : task->skip(reason);
    if (status == TaskStatus::failed) {
      stop_on_failure(*task);
    } else {
      task->release();  // before it counts as done: a join covers the end of the user's objects, too
    }
    MutexLock lock(mutex_);
    --pending_;
    count_done_locked(*task, status, stale);
    idle_now = pending_ == 0 && running_ == 0;
  }
  wake_waiters(idle_now);
  while (Task* task = stale.pop()) task->release();
  return count;
}

std::size_t Pool::skip_pending(const ReasonPointer& reason) noexcept {
  TaskList tasks;
  {
    MutexLock lock(mutex_);
    tasks = queue_.take_all();
  }
  return tasks.empty() ? 0 : end_unrun(tasks, reason, nullptr);
}

void Pool::stop_on_failure(const Task& task) noexcept try {
  if (on_failure_ != OnFailure::set_event || node_.event().is_set()) return;
  const Failure failure = task.failure();
  Reason reason;
  reason.kind = ReasonKind::failure;
  reason.message = describe_exception(failure.exception);
  reason.task = failure.task;
  reason.exception = failure.exception;
  Forest::instance().set_event(node_, std::move(reason));
} catch (const std::exception& e) {
  // Only memory can be short here. The failure itself is kept and will reach the join.
  std::fprintf(stderr, "threadgroup: cannot stop group '%s' after a failure: %s\n", node_.name().c_str(),
               e.what());
}

void Pool::wake_waiters(bool idle) noexcept {
  change_waiters_.release_all();
  if (idle) idle_waiters_.release_all();
}

namespace {
std::string name_of_task(const Task& task) { return task.name(); }
}  // namespace

// --- The worker ---

void Pool::worker_main(void* pool) noexcept { static_cast<Pool*>(pool)->work(); }

Task* Pool::next_task_locked() noexcept {
  // Somebody who lent a place wants it back: it goes before the queue.
  if (reclaiming_ > 0 && workers_ - lent_ + reclaiming_ > bound_) return nullptr;
  return queue_.pop();
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

void Pool::begin_locked(Worker& worker, Task& task) noexcept {
  --pending_;
  ++running_;
  worker.busy = true;
  worker.named = task.given_name().empty() ? nullptr : &task;
  worker.number = task.number();
  worker.since = runtime::coarse_now();
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
  while (Task* task = next_task_locked()) {
    begin_locked(self, *task);
    const bool start_next = may_start_locked();  // P3
    if (start_next) reserve_worker_locked();
    lock.unlock();

    if (start_next) start_worker();
    while (Task* old = stale.pop()) old->release();
    context.task = task;
    const TaskStatus status = run(self, *task);
    // The task forked, and this is the child: the lock and the counts are the parent's.
    if (runtime::fork_generation() != self.fork_generation) return;
    context.task = nullptr;

    lock.lock();
    end_locked(self, *task, status, stale);
    if (!change_waiters_.empty()) {
      lock.unlock();
      change_waiters_.release_all();
      lock.lock();
    }
  }

  --workers_;
  leave_locked(self);
  const bool idle_now = pending_ == 0 && running_ == 0;
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
  {
    MutexLock lock(mutex_);
    // Only the next in line: others would overtake those that were added before them.
    if (queue_.front() != &wanted || node_.event().is_set()) return false;
    queue_.pop();
    enter_locked(self);
    begin_locked(self, wanted);
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
    start = may_start_locked();
    if (start) reserve_worker_locked();
  }
  if (hand_over) place_waiters_.release_all();
  if (start) start_worker();
}

void Pool::reclaim_place() noexcept {
  {
    MutexLock lock(mutex_);
    if (node_.event().is_set() || workers_ - lent_ + reclaiming_ < bound_) {
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

// --- Looking ---

bool Pool::idle() const {
  MutexLock lock(mutex_);
  return pending_ == 0 && running_ == 0;
}

std::uint64_t Pool::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

void Pool::notify() noexcept {
  {
    MutexLock lock(mutex_);
    ++changes_;
  }
  change_waiters_.release_all();
}

bool Pool::wait_until_quiet(TimePoint deadline) noexcept {
  const TaskContext* const task = TaskContext::current();
  std::size_t own = 0;
  if (task != nullptr && task->node == &node_) {
    own = task->depth();
  } else if (task != nullptr && Forest::instance().is_same_or_descendant(*task->node, node_)) {
    own = 1;  // of a group above the caller's, one task most likely waits for the caller
  }
  const auto quiet = [this, own] {
    MutexLock lock(mutex_);
    return pending_ == 0 && running_ <= own;
  };
  return wait(change_waiters_, quiet, {}, deadline) == WaitOutcome::ready;
}

GroupStatistics Pool::statistics() const {
  MutexLock lock(mutex_);
  return GroupStatistics{pending_, running_, succeeded_, failed_, skipped_, workers_};
}

std::vector<RunningTask> Pool::running_tasks() const {
  std::vector<RunningTask> running;
  MutexLock lock(mutex_);
  const TimePoint t = runtime::coarse_now();  // under the lock: no task began later
  running.reserve(running_);
  for (const Worker* worker = first_worker_; worker != nullptr; worker = worker->next) {
    if (!worker->busy) continue;
    running.push_back(
        {worker->named != nullptr ? worker->named->name() : "task " + std::to_string(worker->number),
         t - worker->since});
  }
  return running;
}

std::vector<Failure> Pool::take_failures() {
  std::vector<Failure> taken;
  for (;;) {
    Task* task = nullptr;
    {
      MutexLock lock(mutex_);
      task = failures_.pop();
    }
    if (task == nullptr) return taken;
    try {
      Failure failure = task->failure();
      taken.reserve(taken.size() + 1 > taken.capacity() ? 2 * taken.size() + 1 : 0);
      if (task->claim_failure()) taken.push_back(std::move(failure));
    } catch (...) {  // no memory: it stays for the next one who asks
      MutexLock lock(mutex_);
      failures_.push(*task);
      throw;
    }
    task->release();
  }
}

}  // namespace tg::detail
