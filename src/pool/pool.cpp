// SPDX-License-Identifier: Apache-2.0
// The queue and the counts. The invariants P1 to P6 stand in the header; the workers in pool_worker.cpp.
#include <algorithm>
#include <utility>

#include <threadgroup/event/wait.hpp>
#include <threadgroup/pool/pool.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/threads.hpp>
#include <threadgroup/tree/forest.hpp>

#include "pool/pool_worker.hpp"

namespace tg::detail {

namespace {
// Threads that one worker makes before it runs its task. A thread that makes any keeps some 650 bytes for it
// (glibc's allocator does), and with four only a quarter of them do; more would hold up the task for little.
constexpr int kMadeByOne = 4;

// The system's refusal to make threads is reported once in this time, for the whole process.
constexpr Duration kBetweenReports = Duration::from_nanos(60'000'000'000);
}  // namespace

Pool::Pool(Node& node, std::size_t bound, OnFailure on_failure)
    : node_(node),
      bound_(bound),
      on_failure_(on_failure),
      failure_reason_(on_failure == OnFailure::set_event ? new SharedReason(Reason{}) : nullptr) {}

Pool::~Pool() {
  TaskList left = failures_.take_all();  // the last owner is the only one: no lock
  while (Task* task = left.pop()) task->release();
  if (const SharedReason* unused = failure_reason_.load(std::memory_order_relaxed)) unused->release();
}

// --- Adding ---

// Moves what was added from outside into the empty queue; false if there is nothing.
bool Pool::refill_locked() noexcept {
  MutexLock lock(add_mutex_);
  queue_ = incoming_.take_all();
  return !queue_.empty();
}

// Whether anything is pending. If not, whoever adds next will know that it must come here: P5.
bool Pool::is_work_left_locked() noexcept {
  const auto look = [this]() TG_REQUIRES(mutex_) {
    if (!queue_.empty() || refill_locked()) return true;
    for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
      if (!local->empty()) return true;
    }
    return false;
  };
  if (look()) return true;
  call_worker_.store(true, std::memory_order_relaxed);
  if (!look()) return false;
  call_worker_.store(false, std::memory_order_relaxed);
  return true;
}

// If one more worker is needed, counts it as on its way. Called wherever a place may have become free.
bool Pool::reserve_worker_locked() noexcept {
  if (starting_ != 0 || !has_free_place_locked()) return false;
  if (queue_.empty() && (call_worker_.load(std::memory_order_relaxed) || !is_work_left_locked()))
    return false;
  reserve_locked();
  return true;
}

void Pool::reserve_locked() noexcept {
  ++starting_;
  ++workers_;
}

void Pool::add(Task& task) {
  node_.event().watch();  // first: from here on a setter comes to skip what we queue, or we see the event
  if (LocalQueue* const local = local_queue_of_caller()) return add_local(*local, task);
  bool call = false;
  std::uint64_t number = 0;  // from the unlock on, the task may have been run and be gone
  {
    MutexLock lock(add_mutex_);
    ++added_;
    number = ++numbers_;
    task.set_number(number);
    if (node_.event().is_set()) {
      lock.unlock();
      return refuse(task);
    }
    incoming_.push(task);
    call = call_worker_.load(std::memory_order_relaxed);
    if (call) call_worker_.store(false, std::memory_order_relaxed);
  }
  if (call) bring_worker(number);
}

void Pool::add_local(LocalQueue& local, Task& task) {
  if (!local.has_number()) {
    MutexLock lock(add_mutex_);
    local.take_numbers(numbers_);
  }
  const std::uint64_t number = local.next_number();
  task.set_number(number);
  switch (local.add(task, node_.event(), call_worker_)) {
    case LocalQueue::Added::queued:
      return;
    case LocalQueue::Added::call_worker:
      return bring_worker(number);
    case LocalQueue::Added::refused:
      return refuse(task);
  }
}

// The event is set: the task is counted and in no list.
void Pool::refuse(Task& task) noexcept {
  TaskList one;
  one.push(task);
  end_unrun(one, node_.event().reason(), nullptr);
}

void Pool::bring_worker(std::uint64_t number) {
  {
    MutexLock lock(mutex_);
    if (!reserve_worker_locked()) return;
  }
  std::exception_ptr error;
  if (start_worker_for(number, error) == Started::failed_for_own) std::rethrow_exception(error);
}

// Brings the worker that was reserved; and where threads have to be made, some more, as long as more tasks
// stand in the queue than workers are on their way to it.
void Pool::start_workers() noexcept {
  for (int started = 1;; ++started) {
    std::exception_ptr error;
    if (start_worker_for(0, error) != Started::made || started == kMadeByOne) return;
    MutexLock lock(mutex_);
    if (queue_.empty() && !refill_locked()) return;
    if (!has_free_place_locked() || !queue_.has_more_than(starting_)) return;
    reserve_locked();
  }
}

// Brings the worker that was reserved. If no thread can be had, the reservation stays and waits for one.
// Only if there is no other worker either, the tasks in the queue fail, so that a join does not wait for them
// needlessly; but the one of the number `own` is taken back, and the answer is `failed_for_own`.
Pool::Started Pool::start_worker_for(std::uint64_t own, std::exception_ptr& error) noexcept {
  node_.add_reference();  // P4
  try {
    return runtime::ThreadCache::instance().start({&Pool::worker_main, this}) ? Started::made
                                                                              : Started::woken;
  } catch (...) {
    error = std::current_exception();
  }
  return wait_for_thread_or_give_up(own, error);
}

Pool::Started Pool::wait_for_thread_or_give_up(std::uint64_t own, const std::exception_ptr& error) noexcept {
  bool waits = false;
  bool taken_back = false;
  bool idle_now = false;
  TaskList lost;
  {
    MutexLock lock(mutex_);
    const std::uint32_t others = workers_ - 1;  // also those that lent their places: they come back
    if (others > 0 && !has_request_) {
      waits = has_request_ = true;
      runtime::ThreadCache::instance().start_when_possible(request_);
    } else {
      --starting_;
      --workers_;
    }
    if (others == 0) {
      // P5: the next adder tries again. It comes before the lists are taken: who adds after that sees it.
      call_worker_.store(true, std::memory_order_relaxed);
      lost = take_all_locked();
      taken_back = own != 0 && lost.remove(own);
      if (taken_back) {
        ++begun_;
        ++changes_;
        idle_now = lost.empty() && idle_locked();
      }
    }
  }
  if (waits) {  // with the reference that was taken for it
    runtime::ThreadCache::instance().ask_again();
    report_shortage(error);
    return Started::waits;
  }
  place_waiters_.release_all();            // the reserved place is free again
  if (taken_back) wake_waiters(idle_now);  // a join may have seen the task that now never was
  if (!lost.empty()) end_unrun(lost, {}, error);
  node_.release();
  return taken_back ? Started::failed_for_own : Started::waits;
}

// The worker that waits for a thread is not needed any more: its place is wanted, or there is no work left.
// The caller holds a reference to the node, so that the one for that worker is not the last.
void Pool::withdraw_request_locked() noexcept {
  if (!has_request_ || !runtime::ThreadCache::instance().withdraw(request_)) return;
  has_request_ = false;
  --starting_;
  --workers_;
  node_.release();
}

// Says on stderr that a group waits for threads, unless that is over, or was said within the last minute.
void Pool::report_shortage(const std::exception_ptr& error) noexcept try {
  if (!runtime::ThreadCache::instance().waits(request_)) return;
  static constinit std::atomic<std::int64_t> next_report{0};  // atomic: the first to come reports
  const TimePoint now = runtime::now();
  std::int64_t at = next_report.load(std::memory_order_relaxed);
  if (now.nanos() < at ||
      !next_report.compare_exchange_strong(at, (now + kBetweenReports).nanos(), std::memory_order_relaxed))
    return;
  const GroupStatistics counts = statistics();
  std::fprintf(
      stderr,
      "threadgroup: group '%s' wants %zu threads and has %zu; it goes on with these and keeps asking "
      "for more: %s\n",
      node_.name().c_str(), counts.threads_wanted, counts.threads, describe_exception(error).c_str());
} catch (const std::exception&) {
  // No memory for the text. The statistics still tell.
}

// --- Ending ---

// Counts the task as done. A failed one joins the failures; some of those that a handle has delivered go to
// `stale`, to be released outside the lock.
void Pool::count_done_locked(Task& task, TaskStatus status, TaskList& stale) noexcept {
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
      break;
  }
  ++failed_;
  failures_.push(task, stale);
}

// Ends tasks (at least one) that are counted as pending and in no queue: they fail with the
// error if there is one, else they are skipped for the reason. Says how many.
std::size_t Pool::end_unrun(TaskList tasks, const ReasonPointer& reason,
                            const std::exception_ptr& error) noexcept {
  bool idle_now = false;
  std::size_t count = 0;
  TaskList stale;
  Worker self;  // not busy, but about to count its task
  {
    MutexLock lock(mutex_);
    self.number = tasks.front()->number();
    enter_locked(self);
  }
  while (Task* task = tasks.pop()) {
    ++count;
    const TaskStatus status = error ? task->fail(error) : task->skip(reason);
    if (status == TaskStatus::failed) {
      stop_on_failure(*task);
    } else {
      task->release();  // before it counts as done: a join covers the end of the user's objects, too
    }
    MutexLock lock(mutex_);
    ++begun_;
    count_done_locked(*task, status, stale);
    self.number = tasks.empty() ? 0 : tasks.front()->number();
    if (tasks.empty()) leave_locked(self);
    idle_now = idle_locked();
  }
  wake_waiters(idle_now);
  while (Task* task = stale.pop()) task->release();
  return count;
}

TaskList Pool::take_all_locked() noexcept {
  TaskList tasks = queue_.take_all();
  for (LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    tasks.append(local->take_all());
  }
  MutexLock lock(add_mutex_);
  tasks.append(incoming_.take_all());
  return tasks;
}

std::size_t Pool::skip_pending(const ReasonPointer& reason) noexcept {
  TaskList tasks;
  {
    MutexLock lock(mutex_);
    tasks = take_all_locked();
  }
  return tasks.empty() ? 0 : end_unrun(tasks, reason, nullptr);
}

void Pool::stop_on_failure(const Task& task) noexcept {
  if (on_failure_ != OnFailure::set_event || node_.event().is_set()) return;
  Reason reason;
  reason.kind = ReasonKind::failure;
  try {
    Failure failure = task.failure();
    reason.exception = failure.exception;
    reason.message = describe_exception(failure.exception);
    reason.task = std::move(failure.task);
  } catch (const std::exception&) {
    // Out of memory: the reason says less, and the group stops all the same. The failure reaches the join.
  }
  SharedReason* const shared = failure_reason_.exchange(nullptr, std::memory_order_acq_rel);
  if (shared == nullptr) {  // another task failed at the same moment and is about to set the event
    static_cast<void>(wait({&node_.event(), nullptr}, TimePoint::never()));
    return;
  }
  shared->before_it_is_shared() = std::move(reason);
  Forest::instance().set_event_as_prepared(node_, *shared);
  shared->release();
}

void Pool::wake_waiters(bool idle) noexcept {
  change_waiters_.release_all();
  if (idle) idle_waiters_.release_all();
}

// --- Looking ---

bool Pool::idle() const {
  MutexLock lock(mutex_);
  return idle_locked();
}

// All counts at one moment: with all locks held, P1. The analysis cannot see a number of locks in a loop.
GroupStatistics Pool::count_locked() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
  for (LocalQueue* local = first_local_; local != nullptr; local = local->next) local->mutex().lock();
  add_mutex_.lock();
  GroupStatistics sum{
      added_ - begun_, running_, succeeded_, failed_, stopped_, skipped_, workers_ - (has_request_ ? 1 : 0)};
  add_mutex_.unlock();
  for (LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    const LocalQueue::Counts& counts = local->counts_held();
    sum.pending += counts.added - counts.begun;
    sum.running += counts.running;
    sum.succeeded += counts.succeeded;
    local->mutex().unlock();
  }
  // A worker that waits for a thread is one of those that the pool would have for what is pending.
  sum.threads_wanted = sum.threads;
  if (has_request_) sum.threads_wanted += std::min<std::size_t>(sum.pending, bound_ - (workers_ - lent_) + 1);
  return sum;
}

std::uint64_t Pool::changes() const {
  MutexLock lock(mutex_);
  std::uint64_t sum = changes_;
  for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    sum += local->counts().succeeded;
  }
  return sum;
}

void Pool::notify() noexcept {
  {
    MutexLock lock(mutex_);
    ++changes_;
  }
  change_waiters_.release_all();
}

void Pool::wait_until_counted(const std::vector<std::uint64_t>& numbers) noexcept {
  const auto counted = [&] {
    MutexLock lock(mutex_);
    for (const Worker* worker = first_worker_; worker != nullptr; worker = worker->next) {
      if (std::binary_search(numbers.begin(), numbers.end(), worker->number)) return false;
    }
    for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
      if (local->runs_one_of(numbers)) return false;
    }
    return true;
  };
  static_cast<void>(wait(change_waiters_, counted, {}, TimePoint::never()));
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
    const GroupStatistics counts = count_locked();
    return counts.running <= own && counts.pending == 0;
  };
  return wait(change_waiters_, quiet, {}, deadline) == WaitOutcome::ready;
}

GroupStatistics Pool::statistics() const {
  MutexLock lock(mutex_);
  return count_locked();
}

std::vector<RunningTask> Pool::running_tasks() const {
  std::vector<RunningTask> running;
  MutexLock lock(mutex_);
  const TimePoint now = runtime::coarse_now();
  running.reserve(running_);
  for (const Worker* worker = first_worker_; worker != nullptr; worker = worker->next) {
    if (worker->busy) running.push_back(worker->look(now));
  }
  for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    local->append_running(running, now);
  }
  return running;
}

std::vector<Failure> Pool::take_failures() {
  TaskList left;
  {
    MutexLock lock(mutex_);
    left = failures_.take_all();
  }
  std::vector<Failure> taken;
  try {
    while (Task* task = left.front()) {
      taken.reserve(taken.size() < taken.capacity() ? 0 : 2 * taken.size() + 1);
      Failure failure = task->failure();
      left.pop();  // nothing throws from here on
      if (task->claim_failure()) taken.push_back(std::move(failure));
      task->release();
    }
  } catch (...) {
    // No memory. What is left stays for the next one who asks; what was taken must reach this one.
    MutexLock lock(mutex_);
    failures_.put_back(left);
    if (taken.empty()) throw;
  }
  return taken;
}

}  // namespace tg::detail
