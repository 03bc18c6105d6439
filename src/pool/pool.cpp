// SPDX-License-Identifier: Apache-2.0
// Adding tasks, starting workers for them, and what follows when tasks end.
#include "pool/pool.hpp"

#include <algorithm>
#include <new>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>

#include "base/planted.hpp"
#include "event/wait.hpp"
#include "pool/lending.hpp"
#include "pool/skipping.hpp"
#include "pool/task_list.hpp"
#include "pool/worker.hpp"
#include "runtime/engine.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/scope_entry.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

namespace {
constexpr std::uint32_t kMostMadeInTurn = 64;  // see `kLeastMadeInTurn`
}  // namespace

Pool::Pool(Node& node, std::size_t bound, OnFailure on_failure, std::optional<std::size_t> max_pending)
    : node_(node),
      failure_stop_(node, on_failure),
      room_(max_pending ? std::make_unique<Room>(*max_pending) : nullptr),
      slots_(bound),
      supply_({&Worker::main, this}),
      queue_(node) {}

Pool::~Pool() {
  TaskList left = failures_.take_all();  // the last owner is the only one: no lock
  while (Task* task = left.pop()) task->release();
  withdraw_claim_at_the_end();
}

// --- Adding ---

void Pool::put(Task& task) {
  if (LocalQueue* const local = queue_.local_queue_of_caller()) {
    node_.event().watch();  // first: as in `TaskQueue::add`
    return after_adding(task, queue_.add_local(*local, task));
  }
  after_adding(task, queue_.add(task));
}

// The caller is in no task of the group, but may be in one of the subtree that drains.
[[gnu::cold]] void Pool::add_to_draining(Task& task) {
  const ReasonPointer reason = Forest::instance().reason_to_refuse(node_);
  if (!reason) return after_adding(task, queue_.add(task, true));
  queue_.add_to_no_list(task);
  Skipping(*this).in_no_list(task, reason);
  give_places_back(1);
}

bool Pool::try_take_place() noexcept {
  if (room_ == nullptr || room_->try_take()) return true;
  if (!node_.event().is_set()) return false;
  room_->take_anyway();  // the task will be skipped
  return true;
}

void Pool::add_to_place(Task& task) {
  try {
    put(task);
  } catch (...) {
    give_places_back(1);
    throw;
  }
}

void Pool::add_when_there_is_room(Task& task) {
  // The group may be destroyed while this flow waits.
  const std::unique_ptr<Node, decltype([](Node* node) { node->release(); })> keeps_group(&node_);
  node_.add_reference();
  const ReasonPointer stopped = room_->take(node_, [this] { return has_no_worker_for_pending(); });
  if (!stopped) return add_to_place(task);
  queue_.add_to_no_list(task);
  Skipping(*this).in_no_list(task, stopped);
}

// The system has refused a thread, and all workers of the group wait for others.
bool Pool::has_no_worker_for_pending() const noexcept {
  if (!supply_.is_short()) return false;
  MutexLock lock(queue_.mutex());
  const std::uint32_t refused = supply_.refusal().threads;
  return refused != 0 && slots_.workers() - slots_.lent() == refused;
}

void Pool::start_worker_if_needed(std::uint64_t number) {
  {
    MutexLock lock(queue_.mutex());
    if (slots_.on_their_way() != 0 || !slots_.has_free() || !queue_.adder_needs_worker_locked()) return;
    if (!has_permit_for_next_locked()) return;
    slots_.reserve();
  }
  int error = 0;
  if (start_worker_for(number, false, error) == Started::failed_for_own) runtime::throw_refusal(error);
}

// The event is set: the task is counted and in no list.
void Pool::refuse(Task& task) noexcept {
  Skipping(*this).in_no_list(task, node_.event().reason());
  give_places_back(1);
}

// --- Starting workers ---

// Starts the worker that was reserved; and if threads have to be made, some more, as long as there are more
// tasks in the queue than workers on their way, and no other worker takes over.
void Pool::start_workers(bool even_if_one_is_coming) noexcept {
  for (std::uint32_t turn = 0, started = 1;; ++started) {
    int error = 0;
    if (start_worker_for(0, even_if_one_is_coming || started > 1, error) != Started::made ||
        started == kMostMadeInTurn)
      return;
    MutexLock lock(queue_.mutex());
    if (started == 1) turn = makers_turn_;
    if (turn != makers_turn_ || !needs_more_threads_locked()) return;
    ++made_in_turn_;
    slots_.reserve();
  }
}

bool Pool::needs_more_threads_locked() noexcept {
  if (node_.subtree_claim() != nullptr) return false;  // it claims a permit for one task at a time
  return slots_.has_free() && queue_.queue_has_more_than_locked(slots_.on_their_way());
}

bool Pool::try_take_over_locked() noexcept {
  if (slots_.on_their_way() == 0 || !needs_more_threads_locked()) return false;
  ++makers_turn_;
  made_in_turn_ = 0;
  if (!TG_PLANTED(pool_taker_reserves_nothing)) slots_.reserve();
  return true;
}

// Starts the worker that was reserved. If there is no thread for it, the reservation stays and waits for one.
// If there is no other worker either, the task with the number `own` is taken back, and the result is
// `failed_for_own`; tasks that others have added meanwhile were accepted, and wait.
Pool::Started Pool::start_worker_for(std::uint64_t own, bool even_if_one_is_coming, int& error) noexcept {
  if (!TG_PLANTED(pool_worker_holds_no_reference)) node_.add_reference();  // P4
  const ThreadSupply::Requested requested = supply_.request(even_if_one_is_coming, error);
  if (requested == ThreadSupply::Requested::refused) return wait_for_thread_or_give_up(own);
  return requested == ThreadSupply::Requested::made ? Started::made : Started::not_made;
}

Pool::Started Pool::wait_for_thread_or_give_up(std::uint64_t own) noexcept {
  bool waits = false;
  bool taken_back = false;
  bool idle_now = false;
  OwedPermits owed;
  {
    MutexLock lock(queue_.mutex());
    owed = withdraw_claim_locked();  // another group may have a thread
    bool needed = true;
    if (slots_.workers() == 1) {  // no other worker, not even one that lent its slot and comes back
      // P5: the next adder tries again. Set before the lists are searched, so that every later adder sees it.
      queue_.arm_locked();
      taken_back = own != 0 && queue_.take_back_locked(own);
      needed = queue_.refill_if_empty_locked();  // others may have added tasks meanwhile
      idle_now = taken_back && !needed && queue_.is_idle_locked();
    }
    // A lender that waits for its slot goes first: a worker without a thread uses no slot.
    waits = needed && supply_.refusal().threads == 0 && !slots_.is_wanted_back() &&
            !TG_PLANTED(supply_makes_no_request);
    if (waits) {
      supply_.request_when_possible_locked();
    } else {
      slots_.give_reservation_back();
    }
  }
  owed.give_back();
  if (taken_back) wake_waiters(idle_now);  // a join may have seen the task that was taken back
  if (waits) {                             // with the reference that was taken for it
    supply_.ask_at_once();
    supply_.report(node_);
  } else {
    slot_waiters_.release_all();  // the reserved slot is free again
    node_.release();
  }
  return taken_back ? Started::failed_for_own : Started::not_made;
}

// Cancels a worker that has no thread yet. The caller holds a reference to the node, so the worker's
// reference is not the last one.
bool Pool::withdraw_request_locked() noexcept {
  if (slots_.on_their_way() == 0 || !supply_.withdraw_locked()) return false;
  if (!TG_PLANTED(pool_withdrawn_worker_still_counts)) slots_.give_reservation_back();
  node_.release();
  return true;
}

// For a worker that leaves: otherwise the worker without a thread might start long after the work is done.
void Pool::withdraw_request_if_done_locked() noexcept {
  if (slots_.on_their_way() != 0 && !queue_.needs_worker_locked()) withdraw_request_locked();
}

// For a worker that leaves although tasks are pending: P3. Its thread takes the first request of the list.
void Pool::request_another_turn_locked() noexcept {
  if (!reserve_worker_locked()) return withdraw_request_if_done_locked();
  node_.add_reference();  // P4
  supply_.request_when_possible_locked();
}

// --- Running and ending ---

// Runs the task with no lock held, and releases it unless it failed. `here` is guarded by the lock of the
// local queue, or by the pool's if that is null.
TaskStatus Pool::run(Task& task, RunningHere& here, LocalQueue* local) noexcept {
  // Between the event and the setter's `skip_pending` a worker may take a task that must not run any more.
  const bool runs = !node_.event().is_set();
  const TaskStatus status = runs ? task.run(node_) : task.skip(node_.event().reason());
  if (here.is_in_forked_child()) return status;
  if (const Scope* const open = runtime::Flow::current_if_any()->scope) [[unlikely]]
    Scope::end_task_with_open(*open, task.name(), node_);
  if (runs && node_.event().is_set()) [[unlikely]]
    note_end_after_stop(task);
  if (status == TaskStatus::failed) {
    failure_stop_.stop(task);
  } else {
    if (here.named != nullptr) {
      if (local != nullptr) {
        local->forget_name(here);
      } else {
        MutexLock lock(queue_.mutex());
        here.named = nullptr;
      }
    }
    task.release();  // before it counts as done: a join covers the end of the user's objects, too
  }
  return status;
}

// The task is still in one piece.
[[gnu::cold]] void Pool::note_end_after_stop(const Task& task) noexcept try {
  auto end = std::make_unique<TaskQueue::LastEnd>(TaskQueue::LastEnd{runtime::now(), task.name()});
  MutexLock lock(queue_.mutex());
  queue_.note_last_end_locked(end);
} catch (const std::bad_alloc&) {  // then an earlier one is the last
}

void Pool::end_local(LocalQueue& local, RunningHere& here, Task& task, TaskStatus status,
                     TaskList& delivered) noexcept {
  if (status == TaskStatus::succeeded) return local.end(here, status);
  MutexLock lock(queue_.mutex());
  local.end(here, status);
  queue_.count_done_locked(status);
  if (status == TaskStatus::failed) failures_.push(task, delivered);
}

std::size_t Pool::skip_pending(const ReasonPointer& reason) noexcept {
  return Skipping(*this).all_pending(reason);
}
bool Pool::skip(ClaimableTask& task, const ReasonPointer& reason) noexcept {
  return Skipping(*this).one(task, reason);
}

void Pool::wake_waiters(bool idle) noexcept {
  change_waiters_.release_all();
  if (idle) idle_waiters_.release_all();
}

// --- Looking ---

bool Pool::idle() const {
  MutexLock lock(queue_.mutex());
  return queue_.is_idle_locked();
}

bool Pool::is_over_without_failures() noexcept {
  OwedPermits owed;
  {
    MutexLock lock(queue_.mutex());
    if (!failures_.empty() || !queue_.is_idle_locked()) return false;
    owed = leave_queues_locked();
  }
  owed.give_back();
  return true;
}

void Pool::leave_queues() noexcept {
  if (TG_PLANTED(subtree_destructor_trusts_the_stop)) return;
  OwedPermits owed;
  {
    MutexLock lock(queue_.mutex());
    owed = leave_queues_locked();
  }
  owed.give_back();
}

// D5: whatever the claim waits for. An adder may have made it wait after the last task was skipped.
OwedPermits Pool::leave_queues_locked() noexcept {
  queue_.arm_locked();  // for the case that a task is added in error
  withdraw_request_locked();
  return TG_PLANTED(subtree_claim_outlives_its_group) ? OwedPermits() : withdraw_claim_locked();
}

std::uint64_t Pool::changes() const {
  MutexLock lock(queue_.mutex());
  return queue_.changes_locked();
}

void Pool::notify() noexcept {
  {
    MutexLock lock(queue_.mutex());
    queue_.count_change_locked();
  }
  change_waiters_.release_all();
}

void Pool::wait_until_counted(const std::vector<std::uint64_t>& numbers) noexcept {
  const auto counted = [&] {
    MutexLock lock(queue_.mutex());
    return !queue_.runs_one_of_locked(numbers);
  };
  static_cast<void>(wait(change_waiters_, counted, {}, TimePoint::never()));
}

bool Pool::wait_until_quiet(TimePoint deadline) noexcept {
  const TaskContext* const task = TaskContext::current();
  std::size_t own = task != nullptr ? task->depth_in(node_) : 0;
  if (own == 0 && task != nullptr && Forest::instance().is_same_or_descendant(*task->node, node_)) {
    own = 1;  // of a group above the caller's, one task most likely waits for the caller
  }
  const auto quiet = [this, own] {
    MutexLock lock(queue_.mutex());
    const GroupStatistics counts = queue_.count_locked();
    return counts.running <= own && counts.pending == 0;
  };
  return wait(change_waiters_, quiet, {}, deadline) == WaitOutcome::ready;
}

WaitOutcome Pool::wait_until_idle(FunctionRef<bool()> or_else, const WatchedEvents& events,
                                  TimePoint deadline) {
  return wait(
      idle_waiters_, [&] { return idle() || or_else(); }, events, deadline);
}

GroupStatistics Pool::statistics() const {
  MutexLock lock(queue_.mutex());
  return count_locked();
}

GroupStatistics Pool::count_locked() const noexcept {
  GroupStatistics counts = queue_.count_locked();
  if (room_ != nullptr) counts.waiting_adders = room_->waiting();
  runtime::ThreadCache::Refusal refused;  // of the workers that are counted, these have no thread yet
  if (slots_.on_their_way() != 0) refused = supply_.refusal();
  counts.thread_error = refused.error;
  counts.threads = slots_.workers() - refused.threads;
  counts.threads_wanted = counts.threads;
  if (refused.threads != 0) {
    counts.threads_wanted += std::min<std::size_t>(counts.pending, slots_.free() + refused.threads);
  }
  return counts;
}

std::vector<RunningTask> Pool::running_tasks() const {
  MutexLock lock(queue_.mutex());
  return queue_.running_locked(runtime::coarse_now());
}

std::optional<StopLatency> Pool::stop_latency() const {
  const ReasonPointer reason = node_.event().reason();
  if (!reason) return std::nullopt;
  MutexLock lock(queue_.mutex());
  const TaskQueue::LastEnd* const last = queue_.last_end_locked();
  if (last == nullptr) return std::nullopt;
  return StopLatency{std::max(last->at - reason->when, Duration()), last->task};
}

std::vector<Failure> Pool::take_failures() {
  TaskList left;
  {
    MutexLock lock(queue_.mutex());
    left = failures_.take_all();
  }
  std::vector<Failure> taken;
  try {
    deliver(left, taken);
  } catch (...) {
    // No memory. What is left stays for the next caller; what was taken must be returned to this one.
    MutexLock lock(queue_.mutex());
    failures_.put_back(left);
    if (taken.empty()) throw;
  }
  return taken;
}

// --- Waiting for one another ---

bool Pool::run_now(Task& wanted) noexcept { return Worker::run_now(*this, wanted); }
bool Pool::help(GroupStatistics& counts) noexcept { return Worker::help(*this, counts); }
bool Pool::help_with(const Task& wanted) noexcept { return Worker::help_with(*this, wanted); }

bool Pool::take_slot_to_help_locked() noexcept { return queue_.needs_worker_locked() && take_slot_locked(); }

// A slot for a flow that serves the queue itself. It may be that of a worker that has no thread yet.
bool Pool::take_slot_locked() noexcept {
  if (!slots_.has_free() && !withdraw_request_locked() && !TG_PLANTED(pool_helper_takes_any_slot))
    return false;
  slots_.reserve();
  return true;
}

void Pool::lend_slot() noexcept { Lending::lend_slot(*this); }
void Pool::reclaim_slot() noexcept { Lending::reclaim_slot(*this); }
bool Pool::permit_is_free(const Permits& permits) noexcept { return Lending::permit_is_free(*this, permits); }

bool Pool::claim_has_permit_for_next_locked() noexcept {
  SubtreeClaim* const claim = node_.subtree_claim();
  return claim == nullptr || claim->of_group.advance_to_promise();
}

OwedPermits Pool::withdraw_claim_locked() noexcept {
  SubtreeClaim* const claim = node_.subtree_claim();
  if (claim == nullptr) return {};
  return {&claim->of_group.first(), claim->of_group.withdraw()};
}

bool Pool::claim_is_useless_locked() noexcept {
  SubtreeClaim* const claim = node_.subtree_claim();
  if (claim == nullptr || !claim->of_group.waits() || slots_.on_their_way() != 0 ||
      TG_PLANTED(subtree_useless_claim_stays))
    return false;
  return !queue_.needs_worker_locked() || (claim->of_group.is_promised() && !slots_.has_free());
}

void Pool::pass_unused_permits_on() noexcept {
  OwedPermits owed;
  {
    MutexLock lock(queue_.mutex());
    owed = withdraw_useless_claim_locked();
  }
  owed.give_back();
}

}  // namespace tg::inline v0::detail
