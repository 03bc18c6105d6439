// SPDX-License-Identifier: Apache-2.0
// The workers: how one serves the queue, and how a task waits for another one. The invariants P1 to P6 stand
// in pool.hpp.
#include "pool/pool_worker.hpp"

#include <exception>
#include <string>
#include <utility>

#include <threadgroup/base/spin.hpp>
#include <threadgroup/event/wait.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/flow.hpp>
#include <threadgroup/tree/forest.hpp>

namespace tg::detail {

namespace {
// A worker serves its local queue for so many tasks, or until the coarse clock goes on, which it does every
// few milliseconds; then it looks for others that wait.
constexpr int kLocalTurn = 64;

// How often a worker that finds nothing looks again for what other workers leave standing in their local
// queues, with about 2 us between. Leaving at once would cost the next adder a wake-up each time.
constexpr int kLooks = 8;

// As many workers as can keep a processor busy on most machines.
constexpr std::uint32_t kMostLocalQueues = 16;

std::string name_of_task(const Task& task) { return task.name(); }

std::string label_of_task(const runtime::Flow& flow) {
  const TaskContext& context = *static_cast<const TaskContext*>(flow.task);
  return "task '" + context.task_name() + "' of group '" + Forest::instance().path(*context.node) + "'";
}

// Entries of the lists of workers and of local queues stand on stacks, and are linked by themselves.
template <class Entry>
void put_first(Entry*& first, Entry& entry) noexcept {
  entry.next = first;
  if (first != nullptr) first->previous = &entry;
  first = &entry;
}
template <class Entry>
void take_out(Entry*& first, Entry& entry) noexcept {
  (entry.previous != nullptr ? entry.previous->next : first) = entry.next;
  if (entry.next != nullptr) entry.next->previous = entry.previous;
}

// Pools that share a bit do no harm: a local queue waits for the pool's in vain.
std::uint64_t bit_of(const Node& node) noexcept { return std::uint64_t{1} << (node.id().value % 64); }
}  // namespace

// --- The worker ---

void Pool::worker_main(void* pool) noexcept { static_cast<Pool*>(pool)->work(); }

void Pool::late_worker_main(void* raw) noexcept {
  auto* const pool = static_cast<Pool*>(raw);
  {
    MutexLock lock(pool->mutex_);
    pool->has_request_ = false;
  }
  pool->work();
}

void Pool::enter_locked(Worker& worker) noexcept { put_first(first_worker_, worker); }
void Pool::leave_locked(Worker& worker) noexcept { take_out(first_worker_, worker); }

// Somebody who lent a place wants it back: it goes before the queue.
bool Pool::place_is_wanted_back_locked() const noexcept {
  const std::uint32_t reclaiming = reclaiming_.load(std::memory_order_relaxed);
  return reclaiming > 0 && workers_ - lent_ + reclaiming > bound_;
}

void Pool::begin_locked(Worker& worker, Task& task, TimePoint now) noexcept {
  ++begun_;
  ++running_;
  worker.busy = true;
  worker.begin(task, now);
}

void Pool::end_locked(Worker& worker, Task& task, TaskStatus status, TaskList& stale) noexcept {
  worker.busy = false;
  worker.end();
  --running_;
  count_done_locked(task, status, stale);
}

// Runs the task with no lock held, and lets go of it unless it failed. `guard` guards `here`.
TaskStatus Pool::run(Task& task, RunningHere& here, Mutex& guard) noexcept {
  // Between the event and the setter's `skip_pending` a worker may come to a task that must not run any more.
  const TaskStatus status = node_.event().is_set() ? task.skip(node_.event().reason()) : task.run(node_);
  if (here.is_in_forked_child()) return status;
  if (status == TaskStatus::failed) {
    stop_on_failure(task);
  } else {
    if (here.named != nullptr) {
      MutexLock lock(guard);
      here.named = nullptr;
    }
    task.release();  // before it counts as done: a join covers the end of the user's objects, too
  }
  return status;
}

// Runs tasks of the local queue, without the pool's lock between them. Says how many: a turn at most.
int Pool::serve_local(LocalQueue& local, TaskContext& context, TaskList& stale) noexcept {
  RunningHere here;
  const TimePoint turn_began = runtime::coarse_now();
  Task* task = local.begin(here, turn_began);
  int served = 0;
  while (task != nullptr) {
    ++served;
    context.task = task;
    const TaskStatus status = run(*task, here, local.mutex());
    if (here.is_in_forked_child()) return served;
    context.task = nullptr;
    const TimePoint now = runtime::coarse_now();
    if (status == TaskStatus::succeeded && served < kLocalTurn && now == turn_began &&
        reclaiming_.load(std::memory_order_relaxed) == 0) {
      task = local.end_and_begin(here, now);
    } else {
      end_local(local, here, *task, status, stale);
      task = nullptr;
    }
    change_waiters_.release_all();
  }
  return served;
}

void Pool::end_local(LocalQueue& local, RunningHere& here, Task& task, TaskStatus status,
                     TaskList& stale) noexcept {
  if (status == TaskStatus::succeeded) return local.end(here, status);
  MutexLock lock(mutex_);
  local.end(here, status);
  count_done_locked(task, status, stale);
}

void Pool::work() noexcept {
  runtime::Flow& flow = runtime::Flow::current();
  flow.set_os_name(node_.name());
  LocalQueue local;
  TaskContext context{&node_, nullptr, &name_of_task, &local};
  flow.task = &context;
  flow.task_label = &label_of_task;
  flow.event = &node_.event();
  Worker self;
  TaskList stale;

  MutexLock lock(mutex_);
  --starting_;
  enter_locked(self);
  TimePoint now = runtime::coarse_now();
  for (int looks = 0; !place_is_wanted_back_locked(); ++looks) {
    // What a blocked worker left standing comes before what is new: there is no end to that.
    if (!queue_.empty() || steal_locked(&local, false) || refill_locked()) {
      Task* const task = queue_.pop();
      __builtin_prefetch(queue_.front());  // whoever takes it next will want it at once
      begin_locked(self, *task, now);
      const bool start_next = reserve_worker_locked();  // P3
      lock.unlock();

      if (start_next) {
        start_workers();
      } else if (runtime::ThreadCache::is_short_of_threads()) {
        runtime::ThreadCache::instance().ask_again();
      }
      while (Task* old = stale.pop()) old->release();
      context.task = task;
      const TaskStatus status = run(*task, self, mutex_);
      // The task forked, and this is the child: the lock and the counts are the parent's.
      if (self.is_in_forked_child()) return;
      context.task = nullptr;

      now = runtime::coarse_now();
      lock.lock();
      end_locked(self, *task, status, stale);
      looks = -1;
      if (!change_waiters_.empty()) {
        lock.unlock();
        change_waiters_.release_all();
        lock.lock();
      }
    }
    if (local.use == LocalQueue::Use::open) {
      if (place_is_wanted_back_locked()) break;
      if (queue_.empty()) local.moved_ones_have_begun();  // P6
      lock.unlock();
      const int served = serve_local(local, context, stale);
      if (self.is_in_forked_child()) return;
      while (Task* old = stale.pop()) old->release();
      now = runtime::coarse_now();
      lock.lock();
      if (served > 0) {
        looks = -1;
        continue;
      }
    }
    if (!queue_.empty()) continue;

    // There is nothing. A worker that keeps what others want (Python's lock) does not wait for more; nor does
    // the last one, if somebody waits for idleness.
    const bool others_may_leave_some = local_queues_ > (local.use == LocalQueue::Use::open ? 1u : 0u);
    const bool is_last_look = flow.before_idle != nullptr || looks >= (others_may_leave_some ? kLooks : 0) ||
                              (!idle_waiters_.empty() && idle_locked());
    if (is_last_look) {
      if (!steal_locked(&local, true) && !is_work_left_locked()) break;
      continue;
    }
    // It lets some come: a worker as fast as the adder would else fetch each task alone, and each such
    // meeting costs both of them more than the task.
    lock.unlock();
    spin_briefly([&] { return !others_may_leave_some && !idle_waiters_.empty(); });
    lock.lock();
  }

  --workers_;
  leave_locked(self);
  close_locked(local);
  // Left to itself, a worker that waits for a thread may come long after the work is done.
  if (has_request_ && !is_work_left_locked()) withdraw_request_locked();
  const bool idle_now = idle_locked();
  const bool hand_over = reclaiming_.load(std::memory_order_relaxed) > 0;
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

// --- Local queues ---

// The local queue of the worker that calls, if it runs a task of this pool. It is opened when first asked
// for: most tasks add none. Beyond `kMostLocalQueues` there is none, for whoever looks for work looks into
// each.
LocalQueue* Pool::local_queue_of_caller() noexcept {
  runtime::Flow* const flow = runtime::Flow::current_if_any();
  if (flow == nullptr) return nullptr;  // not one of our threads: it never is a worker
  const TaskContext* const context = TaskContext::current();
  if (context != nullptr && context->node == &node_) {
    LocalQueue& local = *context->local;
    if (local.use == LocalQueue::Use::not_asked) {
      MutexLock lock(mutex_);
      open_locked(local);
    }
    if (local.use == LocalQueue::Use::open) return &local;
  }
  flow->shared_queues |= bit_of(node_);  // P6; also for what a destructor adds between two tasks
  return nullptr;
}

void Pool::open_locked(LocalQueue& local) noexcept {
  if (local_queues_ == kMostLocalQueues) {
    local.use = LocalQueue::Use::refused;
    return;
  }
  local.use = LocalQueue::Use::open;
  ++local_queues_;
  put_first(first_local_, local);
  if ((runtime::Flow::current().shared_queues & bit_of(node_)) == 0) return;
  // P6: what this thread added before it came here, or in an earlier life as a worker, may still stand there.
  {
    MutexLock lock(add_mutex_);
    queue_.append(incoming_.take_all());
  }
  if (!queue_.empty()) local.earlier_ones_stand_in_pool();
}

void Pool::close_locked(LocalQueue& local) noexcept {
  if (local.use != LocalQueue::Use::open) return;
  --local_queues_;
  take_out(first_local_, local);
  if (!local.empty()) {  // the worker leaves because its place is wanted back
    queue_.append(local.take_all());
    runtime::Flow::current().shared_queues |= bit_of(node_);  // P6
  }
  const LocalQueue::Counts counts = local.counts();
  begun_ += counts.begun;
  succeeded_ += counts.succeeded;
  changes_ += counts.succeeded;
  MutexLock adders(add_mutex_);
  added_ += counts.added;
  local.return_numbers(numbers_);
}

// Moves what another worker has in its local queue into the empty queue: what it leaves standing, or all that
// there is. False if there is none.
bool Pool::steal_locked(const LocalQueue* own, bool at_once) noexcept {
  for (LocalQueue* local = first_local_; local != nullptr && queue_.empty(); local = local->next) {
    if (local != own) queue_ = at_once ? local->take_all() : local->take_if_left_standing();
  }
  return !queue_.empty();
}

// --- Waiting for one another ---

bool Pool::run_now(Task& wanted) noexcept {
  runtime::Flow& flow = runtime::Flow::current();
  TaskContext* const outer = TaskContext::current();
  // A task that waits inside a predicate has lent its place already; what ran here would have none.
  if (outer->place_is_lent || node_.event().is_set() || !flow.half_of_stack_is_free()) return false;
  // Called in a handler or a destructor: the wanted task would see an exception that is none of its business.
  if (std::uncaught_exceptions() > 0 || std::current_exception() != nullptr) return false;
  LocalQueue& local = *outer->local;
  const bool has_local = local.use == LocalQueue::Use::open;
  Worker self;
  const TimePoint now = runtime::coarse_now();
  // Only the next in line: others would overtake those that were added before them.
  bool is_local = has_local && local.begin_if_next(wanted, self, now);
  if (!is_local) {
    MutexLock lock(mutex_);
    if (!queue_.empty() || refill_locked()) {
      if (queue_.front() != &wanted) return false;
      queue_.pop();
      enter_locked(self);
      begin_locked(self, wanted, now);
    } else {
      if (!has_local) return false;
      local.moved_ones_have_begun();  // P6
      is_local = local.begin_if_next(wanted, self, now);
      if (!is_local) return false;
    }
  }
  TaskContext context{&node_, &wanted, &name_of_task, &local};
  context.outer = outer;
  flow.task = &context;
  const TaskStatus status = run(wanted, self, is_local ? local.mutex() : mutex_);
  if (self.is_in_forked_child()) return true;  // as in `work`
  flow.task = outer;
  TaskList stale;
  if (!is_local) {
    MutexLock lock(mutex_);
    end_locked(self, wanted, status, stale);
    leave_locked(self);
  } else {
    end_local(local, self, wanted, status, stale);
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
    hand_over = reclaiming_.load(std::memory_order_relaxed) > 0;
    start = reserve_worker_locked();
  }
  if (hand_over) place_waiters_.release_all();
  if (start) start_workers();
}

void Pool::reclaim_place() noexcept {
  {
    MutexLock lock(mutex_);
    if (!has_free_place_locked()) withdraw_request_locked();  // a worker without a thread uses no place
    if (node_.event().is_set() || has_free_place_locked()) {
      --lent_;
      return;
    }
    reclaiming_.fetch_add(1, std::memory_order_relaxed);
  }
  const auto place_is_free = [this] {
    MutexLock lock(mutex_);
    if (workers_ - lent_ >= bound_) return false;
    --lent_;
    reclaiming_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  };
  if (wait(place_waiters_, place_is_free, {&node_.event(), nullptr}, TimePoint::never()) !=
      WaitOutcome::ready) {
    MutexLock lock(mutex_);
    --lent_;
    reclaiming_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace tg::detail
