// SPDX-License-Identifier: Apache-2.0
// The rare operations: opening, closing and stealing from local queues, searches, and counts of one moment.
#include "pool/task_queue.hpp"

#include <algorithm>
#include <bit>

#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "base/planted.hpp"
#include "pool/task_list.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

namespace {
// About the number of processors of most machines. A search visits every local queue.
constexpr std::uint32_t kMostLocalQueues = 16;

// The lists are linked through entries on the stacks of flows.
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
}  // namespace

// --- Local queues ---

LocalQueue* TaskQueue::local_queue_of_caller() noexcept {
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
  flow->shared_queues |= shared_bit();  // P6; also for what a destructor adds between two tasks
  return nullptr;
}

void TaskQueue::open_locked(LocalQueue& local) noexcept {
  if (local_queues_ == kMostLocalQueues) {
    local.use = LocalQueue::Use::refused;
    return;
  }
  local.use = LocalQueue::Use::open;
  ++local_queues_;
  const int free_index = std::countr_one(local_indices_);
  local_indices_ = static_cast<std::uint16_t>(local_indices_ | 1U << free_index);
  local.index = static_cast<std::uint8_t>(free_index + 1);
  put_first(first_local_, local);
  if ((runtime::Flow::current().shared_queues & shared_bit()) == 0) return;
  // P6: what this thread added before it came here, or in an earlier life as a worker, may still be there.
  {
    MutexLock lock(add_mutex_);
    queue_.append(incoming_.take_all());
  }
  if (!queue_.empty()) local.earlier_ones_are_in_pool();
}

void TaskQueue::close_locked(LocalQueue& local) noexcept {
  if (local.use != LocalQueue::Use::open) return;
  --local_queues_;
  local_indices_ = static_cast<std::uint16_t>(local_indices_ & ~(1U << (local.index - 1U)));
  take_out(first_local_, local);
  // The worker may leave because its slot is wanted back.
  if (!local.empty()) queue_.append(local.take_all());
  if (!queue_.empty())
    runtime::Flow::current().shared_queues |= shared_bit();  // P6: also what a thief moved there
  const LocalQueue::Counts counts = local.counts();
  begun_ += counts.begun;
  succeeded_ += counts.succeeded;
  changes_ += counts.succeeded;
  MutexLock adders(add_mutex_);
  count_added_locked(counts.added);
  local.return_numbers(numbers_);
}

bool TaskQueue::steal_locked(const LocalQueue* own, bool at_once) noexcept {
  for (LocalQueue* local = first_local_; local != nullptr && queue_.empty(); local = local->next) {
    if (local != own) queue_ = at_once ? local->take_all() : local->take_all_if_stale();
  }
  return !queue_.empty();
}

// --- Serving ---

void TaskQueue::enter_locked(Runner& runner) noexcept { put_first(first_runner_, runner); }
void TaskQueue::leave_locked(Runner& runner) noexcept { take_out(first_runner_, runner); }

bool TaskQueue::claim_locked(ClaimableTask& wanted, Runner& runner, TimePoint now) noexcept {
  if (wanted.status() != TaskStatus::pending || node_.event().is_set() ||
      (wanted.number() <= taken_up_to_ && !TG_PLANTED(pool_claims_what_is_taken)))
    return false;
  bool taken = false;
  for (LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    if (local->index != wanted.home_) continue;
    const LocalQueue::Taken what = local->take(wanted);
    if (what == LocalQueue::Taken::begun) return false;
    taken = what == LocalQueue::Taken::taken;
    break;
  }
  if (!taken) {  // P7: it is in one of these
    MutexLock lock(add_mutex_);
    PendingList& list = queue_.empty() || incoming_.begins_or_ends_with(wanted) ? incoming_ : queue_;
    list.remove(wanted);
    wanted.begin();
    ++begun_;
  }
  enter_locked(runner);
  begin_locked(runner, wanted, now);
  return true;
}

bool TaskQueue::take_back_locked(std::uint64_t number) noexcept {
  {
    MutexLock lock(add_mutex_);
    queue_.append(incoming_.take_all());
  }
  if (!queue_.remove(number)) return false;
  ++begun_;
  ++changes_;
  return true;
}

bool TaskQueue::has_pending_locked() noexcept {
  if (!queue_.empty() || refill_locked()) return true;
  for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    if (!local->empty()) return true;
  }
  return false;
}

bool TaskQueue::search_or_arm_locked() noexcept {
  return (!nothing_is_pending_locked() && has_pending_locked()) || search_armed_locked();
}

bool TaskQueue::search_armed_locked() noexcept {
  arm_locked();
  if (TG_PLANTED(pool_leaves_without_second_look) || !has_pending_locked()) return false;
  call_worker_.store(false, std::memory_order_relaxed);
  return true;
}

TaskList TaskQueue::take_all_locked() noexcept {
  TaskList tasks = queue_.take_all_to_end();
  for (LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    tasks.append(local->take_all_to_end());
  }
  MutexLock lock(add_mutex_);
  tasks.append(incoming_.take_all_to_end());
  taken_up_to_ = numbers_;
  return tasks;
}

// --- Looking ---

// All counts at one moment: P1. The analysis cannot see a number of locks in a loop.
GroupStatistics TaskQueue::count_locked() const noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
  for (LocalQueue* local = first_local_; local != nullptr; local = local->next) local->mutex().lock();
  GroupStatistics sum;
  sum.pending = added_.load(std::memory_order_relaxed) - begun_;
  sum.running = running_;
  sum.succeeded = succeeded_;
  sum.failed = failed_;
  sum.stopped = stopped_;
  sum.skipped = skipped_;
  for (LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    const LocalQueue::Counts& counts = local->counts_held();
    sum.pending += counts.added - counts.begun;
    sum.running += counts.running;
    sum.succeeded += counts.succeeded;
    local->mutex().unlock();
  }
  return sum;
}

std::uint64_t TaskQueue::changes_locked() const noexcept {
  std::uint64_t sum = changes_;
  for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    sum += local->counts().succeeded;
  }
  return sum;
}

std::vector<RunningTask> TaskQueue::running_locked(TimePoint now) const {
  std::vector<RunningTask> running;
  running.reserve(running_);
  for (const Runner* runner = first_runner_; runner != nullptr; runner = runner->next) {
    if (runner->busy) running.push_back(runner->look(now));
  }
  for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    local->append_running(running, now);
  }
  return running;
}

bool TaskQueue::runs_one_of_locked(const std::vector<std::uint64_t>& sorted_numbers) const noexcept {
  for (const Runner* runner = first_runner_; runner != nullptr; runner = runner->next) {
    if (std::binary_search(sorted_numbers.begin(), sorted_numbers.end(), runner->number)) return true;
  }
  for (const LocalQueue* local = first_local_; local != nullptr; local = local->next) {
    if (local->runs_one_of(sorted_numbers)) return true;
  }
  return false;
}

}  // namespace tg::inline v0::detail
