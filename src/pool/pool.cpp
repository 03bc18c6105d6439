// SPDX-License-Identifier: Apache-2.0
// Adding tasks, looking at the pool, and waiting for it.
#include "pool/pool.hpp"

#include <algorithm>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>

#include "base/planted.hpp"
#include "event/wait.hpp"
#include "pool/group_claim.hpp"
#include "pool/lending.hpp"
#include "pool/skipping.hpp"
#include "pool/starting.hpp"
#include "pool/task_list.hpp"
#include "pool/worker.hpp"
#include "tree/forest.hpp"
#include "tree/linked_node.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

Pool::Pool(Node& node, std::size_t bound, OnFailure on_failure, std::optional<std::size_t> max_pending)
    : parts_(node, bound, on_failure, max_pending) {}

// The last owner is the only one: no lock.
Pool::~Pool() TG_NO_THREAD_SAFETY_ANALYSIS {
  TaskList left = parts_.failures.take_all();
  left.release_all();
  GroupClaim::withdraw_locked(parts_).give_back();
}

// --- Adding ---

inline void Pool::after_adding(Task& task, TaskQueue::Added added) {
  using Then = TaskQueue::Added::Then;
  if (added.then == Then::nothing) [[likely]]
    return;
  if (added.then == Then::refuse) return refuse(task);
  if (added.then == Then::drains) [[unlikely]]
    return add_to_draining(task);
  Starting::start_if_needed(parts_, added.number);
}

void Pool::put(Task& task) {
  if (LocalQueue* const local = parts_.queue.local_queue_of_caller()) {
    parts_.node.event().watch();  // first: as in `TaskQueue::add`
    return after_adding(task, parts_.queue.add_local(*local, task));
  }
  after_adding(task, parts_.queue.add(task));
}

// The caller is in no task of the group, but may be in one of the subtree that drains.
[[gnu::cold]] void Pool::add_to_draining(Task& task) {
  const ReasonPointer reason = Forest::instance().reason_to_refuse(parts_.node);
  if (!reason) return after_adding(task, parts_.queue.add(task, true));
  parts_.queue.add_to_no_list(task);
  Skipping::in_no_list(parts_, task, reason);
  parts_.give_room_back(1);
}

bool Pool::try_take_room() noexcept {
  if (parts_.room == nullptr || parts_.room->try_take()) return true;
  if (!parts_.node.event().is_set()) return false;
  parts_.room->take_anyway();  // the task will be skipped
  return true;
}

void Pool::add_to_room(Task& task) {
  try {
    put(task);
  } catch (...) {
    parts_.give_room_back(1);
    throw;
  }
}

void Pool::add_when_there_is_room(Task& task) {
  // The group may be destroyed while this flow waits.
  const NodeReference<Node> keeps_group = share(parts_.node);
  const ReasonPointer stopped =
      parts_.room->take(parts_.node, [this] { return Starting::has_no_worker_for_pending(parts_); });
  if (!stopped) return add_to_room(task);
  parts_.queue.add_to_no_list(task);
  Skipping::in_no_list(parts_, task, stopped);
}

// The event is set: the task is counted and in no list.
void Pool::refuse(Task& task) noexcept {
  Skipping::in_no_list(parts_, task, parts_.node.event().reason());
  parts_.give_room_back(1);
}

// --- Skipping ---

std::size_t Pool::skip_pending(const ReasonPointer& reason) noexcept {
  return Skipping::all_pending(parts_, reason);
}
bool Pool::skip(ClaimableTask& task, const ReasonPointer& reason) noexcept {
  return Skipping::one(parts_, task, reason);
}

// --- Looking ---

bool Pool::idle() const {
  MutexLock lock(parts_.queue.mutex());
  return parts_.queue.is_idle_locked();
}

bool Pool::is_over_without_failures() noexcept {
  OwedPermits owed;
  {
    MutexLock lock(parts_.queue.mutex());
    if (!parts_.failures.empty() || !parts_.queue.is_idle_locked()) return false;
    owed = leave_queues_locked();
  }
  owed.give_back();
  return true;
}

void Pool::leave_queues() noexcept {
  if (TG_PLANTED(subtree_destructor_trusts_the_stop)) return;
  OwedPermits owed;
  {
    MutexLock lock(parts_.queue.mutex());
    owed = leave_queues_locked();
  }
  owed.give_back();
}

// D5: whatever the claim waits for. An adder may have made it wait after the last task was skipped.
OwedPermits Pool::leave_queues_locked() noexcept {
  parts_.queue.arm_locked();  // for the case that a task is added in error
  Starting::withdraw_request_locked(parts_);
  return TG_PLANTED(subtree_claim_outlives_its_group) ? OwedPermits() : GroupClaim::withdraw_locked(parts_);
}

std::uint64_t Pool::changes() const {
  MutexLock lock(parts_.queue.mutex());
  return parts_.queue.changes_locked();
}

void Pool::notify() noexcept {
  {
    MutexLock lock(parts_.queue.mutex());
    parts_.queue.count_change_locked();
  }
  parts_.change_waiters.release_all();
}

void Pool::wait_until_counted(const std::vector<std::uint64_t>& numbers) noexcept {
  const auto counted = [&] {
    MutexLock lock(parts_.queue.mutex());
    return !parts_.queue.runs_one_of_locked(numbers);
  };
  static_cast<void>(wait(parts_.change_waiters, counted, {}, TimePoint::never()));
}

bool Pool::wait_until_quiet(TimePoint deadline) noexcept {
  const TaskContext* const task = TaskContext::current();
  std::size_t own = task != nullptr ? task->depth_in(parts_.node) : 0;
  if (own == 0 && waits_for_caller(&parts_.node)) {
    own = 1;  // the task that waits for the caller's call, or most likely for the caller's group
  }
  const auto is_quiet = [this, own] {
    MutexLock lock(parts_.queue.mutex());
    const GroupStatistics counts = parts_.queue.count_locked();
    return counts.running <= own && counts.pending == 0;
  };
  const auto is_over = [&] { return is_quiet() || Forest::instance().is_left_behind(parts_.node, nullptr); };
  return wait(parts_.change_waiters, is_over, {}, deadline) == WaitOutcome::ready;
}

WaitOutcome Pool::wait_until_idle(FunctionRef<bool()> or_else, const WatchedEvents& events,
                                  TimePoint deadline) {
  return wait(
      parts_.idle_waiters, [&] { return idle() || or_else(); }, events, deadline);
}

GroupStatistics Pool::statistics() const {
  MutexLock lock(parts_.queue.mutex());
  return parts_.count_locked();
}

std::vector<RunningTask> Pool::running_tasks(TimePoint now) const {
  MutexLock lock(parts_.queue.mutex());
  return parts_.queue.running_locked(now);
}

// `use` gets the time from the stop to the last end, and that end, under the queue's lock; if there is one.
template <class Use>
void Pool::use_last_end(Use use) const {
  const ReasonPointer reason = parts_.node.event().reason();
  if (!reason) return;
  MutexLock lock(parts_.queue.mutex());
  const TaskQueue::LastEnd* const last = parts_.queue.last_end_locked();
  if (last != nullptr) use(std::max(last->at - reason->when, Duration()), *last);
}

std::optional<StopLatency> Pool::stop_latency() const {
  std::optional<StopLatency> found;
  use_last_end([&](Duration time, const TaskQueue::LastEnd& last) { found = {time, last.task}; });
  return found;
}

std::optional<Duration> Pool::stop_time() const noexcept {
  std::optional<Duration> found;
  use_last_end([&](Duration time, const TaskQueue::LastEnd&) { found = time; });
  return found;
}

std::vector<Failure> Pool::take_failures() {
  TaskList left;
  {
    MutexLock lock(parts_.queue.mutex());
    left = parts_.failures.take_all();
  }
  std::vector<Failure> taken;
  try {
    deliver(left, taken);
  } catch (...) {
    // No memory. What is left stays for the next caller; what was taken must be returned to this one.
    MutexLock lock(parts_.queue.mutex());
    parts_.failures.put_back(left);
    if (taken.empty()) throw;
  }
  return taken;
}

// --- Waiting for one another ---

bool Pool::run_now(Task& wanted) noexcept { return Worker::run_now(parts_, wanted); }
bool Pool::help(GroupStatistics& counts) noexcept { return Worker::help(parts_, counts); }
bool Pool::help_with(const Task& wanted) noexcept { return Worker::help_with(parts_, wanted); }

void Pool::lend_slot() noexcept { Lending::lend_slot(parts_); }
void Pool::reclaim_slot() noexcept { Lending::reclaim_slot(parts_); }
bool Pool::permit_is_free(const Permits& permits) noexcept {
  return Lending::permit_is_free(parts_, permits);
}

}  // namespace tg::inline v0::detail
