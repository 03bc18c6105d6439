// SPDX-License-Identifier: Apache-2.0
// The invariants L1 to L3 are in the header.
#include "pool/local_queue.hpp"

#include <algorithm>

#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "base/planted.hpp"
#include "pool/task_list.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

namespace {
// The most numbers that a worker takes at a time. Unused ones are lost, unless no other worker took numbers
// since.
constexpr std::uint64_t kLargestShare = 256;
}  // namespace

RunningTask RunningHere::look(TimePoint now) const {
  RunningTask seen;
  seen.name = named != nullptr ? named->name() : "task " + std::to_string(number);
  if (now > since) seen.running_for = now - since;
  seen.added_at = call_site.location();
  if (context == nullptr) return seen;
  look_at_wait(*context, now, seen);
  seen.note = context->note.text();
  return seen;
}

void LocalQueue::take_numbers(std::uint64_t& from) noexcept {
  next_number_ = from + 1;
  from += share_;
  numbers_end_ = from + 1;
  share_ = std::min(2 * share_, kLargestShare);
}

void LocalQueue::return_numbers(std::uint64_t& to) const noexcept {
  if (to + 1 == numbers_end_) to = next_number_ - 1;
}

LocalQueue::Added LocalQueue::add(Task& task, const Event& event, Atomic<bool>& call_worker) noexcept {
  const runtime::PolledLock lock(mutex_);
  ++counts_.added;
  if (event.is_set()) return Added::refused;
  if (task.is_claimable()) static_cast<ClaimableTask&>(task).home_ = index;
  tasks_.push(task);
  if (!call_worker.load(std::memory_order_relaxed)) return Added::queued;
  call_worker.store(false, std::memory_order_relaxed);
  return Added::call_worker;
}

Task* LocalQueue::begin_next_locked(RunningHere& here, TimePoint now) noexcept {
  if (moved_ && !TG_PLANTED(pool_local_ones_overtake)) return nullptr;
  Task* const task = tasks_.pop();
  if (task == nullptr) return nullptr;
  if (task->is_claimable()) static_cast<ClaimableTask*>(task)->begin();
  begin_locked(*task, here, now);
  return task;
}

void LocalQueue::end_locked(RunningHere& here, TaskStatus status) noexcept {
  innermost_ = here.outer;
  here.end();
  --counts_.running;
  if (status == TaskStatus::succeeded) ++counts_.succeeded;
}

Task* LocalQueue::begin(RunningHere& here, TimePoint now) noexcept {
  const runtime::PolledLock lock(mutex_);
  return begin_next_locked(here, now);
}

bool LocalQueue::is_here_locked(const ClaimableTask& task) const noexcept {  // L3
  return task.home_ == index && !tasks_.empty() && task.number() >= tasks_.front()->number() &&
         task.status() == TaskStatus::pending;
}

bool LocalQueue::claim(ClaimableTask& wanted, RunningHere& here, TimePoint now) noexcept {
  const runtime::PolledLock lock(mutex_);
  if (!is_here_locked(wanted)) return false;
  tasks_.remove(wanted);
  wanted.begin();
  begin_locked(wanted, here, now);
  return true;
}

LocalQueue::Taken LocalQueue::take(ClaimableTask& wanted) noexcept {
  const runtime::PolledLock lock(mutex_);
  if (wanted.status() != TaskStatus::pending) return Taken::begun;
  if (!is_here_locked(wanted)) return Taken::elsewhere;
  tasks_.remove(wanted);
  wanted.begin();
  ++counts_.begun;
  return Taken::taken;
}

void LocalQueue::forget_name(RunningHere& here) noexcept {
  const runtime::PolledLock lock(mutex_);
  here.named = nullptr;
}

void LocalQueue::end(RunningHere& here, TaskStatus status) noexcept {
  const runtime::PolledLock lock(mutex_);
  end_locked(here, status);
}

Task* LocalQueue::end_and_begin(RunningHere& here, TimePoint now) noexcept {
  const runtime::PolledLock lock(mutex_);
  end_locked(here, TaskStatus::succeeded);
  return begin_next_locked(here, now);
}

void LocalQueue::moved_ones_have_begun() noexcept {
  const runtime::PolledLock lock(mutex_);
  moved_ = false;
}

void LocalQueue::earlier_ones_are_in_pool() noexcept {
  const runtime::PolledLock lock(mutex_);
  moved_ = true;
}

bool LocalQueue::empty() const noexcept {
  const runtime::PolledLock lock(mutex_);
  return tasks_.empty();
}

LocalQueue::Counts LocalQueue::counts() const noexcept {
  const runtime::PolledLock lock(mutex_);
  return counts_;
}

PendingList LocalQueue::take_all() noexcept {
  const runtime::PolledLock lock(mutex_);
  moved_ = moved_ || !tasks_.empty();
  return tasks_.take_all();
}

TaskList LocalQueue::take_all_to_end() noexcept {
  const runtime::PolledLock lock(mutex_);
  moved_ = moved_ || !tasks_.empty();
  return tasks_.take_all_to_end();
}

PendingList LocalQueue::take_all_if_stale() noexcept {
  const runtime::PolledLock lock(mutex_);
  if (tasks_.empty()) return {};
  if (const std::uint64_t first = tasks_.front()->number(); first != seen_first_) {
    seen_first_ = first;
    return {};
  }
  moved_ = true;
  return tasks_.take_all();
}

void LocalQueue::append_running(std::vector<RunningTask>& running, TimePoint now) const {
  const runtime::PolledLock lock(mutex_);
  for (const RunningHere* here = innermost_; here != nullptr; here = here->outer) {
    running.push_back(here->look(now));
  }
}

bool LocalQueue::runs_one_of(const std::vector<std::uint64_t>& sorted_numbers) const noexcept {
  const runtime::PolledLock lock(mutex_);
  for (const RunningHere* here = innermost_; here != nullptr; here = here->outer) {
    if (std::binary_search(sorted_numbers.begin(), sorted_numbers.end(), here->number)) return true;
  }
  return false;
}

}  // namespace tg::inline v0::detail
