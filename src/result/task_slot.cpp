// SPDX-License-Identifier: Apache-2.0
// Waiting for a task, and what is thrown instead of a result.
#include <threadgroup/detail/task_slot.hpp>

#include <cstddef>
#include <stdexcept>
#include <system_error>
#include <unordered_map>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/errors.hpp>

#include "base/planted.hpp"
#include "base/spin.hpp"
#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "result/task_watcher.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/wait_briefly.hpp"
#include "tree/forest.hpp"
#include "tree/node.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

namespace {

// How long a task keeps its slot while it waits for another one of its group that runs.
constexpr Duration kKeepsSlot = Duration::from_nanos(1'000'000);

// The names of unnamed tasks that were asked for. That is rare, so they take no room in each task.
class ShownNames {
 public:
  const std::string& show(const TaskSlot& task) {
    std::string name = task.Task::name();
    MutexLock lock(mutex_);
    if (names_ == nullptr) names_ = new Names;
    return names_->try_emplace(&task, std::move(name)).first->second;
  }
  void forget(const TaskSlot& task) noexcept {
    MutexLock lock(mutex_);
    names_->erase(&task);
  }
  static void hold_across_forks();

 private:
  using Names = std::unordered_map<const TaskSlot*, const std::string>;

  Mutex mutex_;
  Names* names_ TG_GUARDED_BY(mutex_) = nullptr;  // never destroyed: handles outlive static objects
};
constinit ShownNames shown_names;

void ShownNames::hold_across_forks() {
  runtime::hold_across_forks([]() -> Mutex& { return shown_names.mutex_; });
}
[[gnu::constructor(runtime::at_load::kLeaves)]] void hold_shown_names() { ShownNames::hold_across_forks(); }

// The `Stopped` that the exception is, or null. It lives as long as the exception.
const Stopped* stop_in(const std::exception_ptr& exception) noexcept {
  try {
    std::rethrow_exception(exception);
  } catch (const Stopped& stop) {
    return &stop;
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

TaskSlot::TaskSlot(Node& group, CallSite added_at) noexcept
    : ClaimableTask(added_at),
      fork_generation_(static_cast<std::uint8_t>(runtime::fork_generation())),
      group_(&group) {}

TaskSlot::~TaskSlot() {
  if (has(kNameIsShown)) shown_names.forget(*this);
  if (status() == TaskStatus::failed || status() == TaskStatus::stopped) ending_.exception.~exception_ptr();
  if (status() == TaskStatus::skipped) ending_.reason.~ReasonPointer();
}

bool is_stop(const std::exception_ptr& exception, const Node& group) noexcept {
  // A task with an event of its own is in its scope here.
  const Event* const event = event_of_caller();
  return (event != nullptr ? *event : group.event()).is_set() && stop_in(exception) != nullptr;
}

const Reason* TaskSlot::reason() const noexcept {
  switch (status()) {
    case TaskStatus::stopped:
      return &stop_in(ending_.exception)->reason();
    case TaskStatus::skipped:
      return &*ending_.reason;
    default:
      return nullptr;
  }
}

const std::string& TaskSlot::shown_name() {
  if (const std::string* const given = given_name()) return *given;
  const std::string& shown = shown_names.show(*this);
  raise(kNameIsShown);
  return shown;
}

TaskStatus TaskSlot::end_failed(std::exception_ptr exception) noexcept {
  ::new (static_cast<void*>(&ending_.exception)) std::exception_ptr(std::move(exception));
  return publish(TaskStatus::failed);
}

TaskStatus TaskSlot::end_stopped(std::exception_ptr exception) noexcept {
  ::new (static_cast<void*>(&ending_.exception)) std::exception_ptr(std::move(exception));
  return publish(TaskStatus::stopped);
}

TaskStatus TaskSlot::end_skipped(ReasonPointer reason) noexcept {
  ::new (static_cast<void*>(&ending_.reason)) ReasonPointer(std::move(reason));
  return publish(TaskStatus::skipped);
}

TaskStatus TaskSlot::publish(TaskStatus status) noexcept {
  if (TG_PLANTED(task_wakes_before_it_ends)) done_waiters_.release_all();
  // Q1: before we look for waiters.
  status_.store(status, TG_ORDER(seq_cst, task_end_is_not_ordered, release));
  if (TG_PLANTED(task_wakes_before_it_ends)) return status;
  // In the child of a fork that the task made, the waiters are the parent's: their stacks are gone.
  if (is_of_this_process()) done_waiters_.release_all();
  return status;
}

void TaskSlot::watch(TaskWatcher& watcher) noexcept {
  // In the child of a fork, what was unfinished was refused by `wait`; and the lock of the waiters may be
  // held by a thread of the parent.
  if (!is_of_this_process()) return watcher.ended();
  add_handle();  // the watcher may release the last handle
  done_waiters_.link(watcher);
  // Q1: it is in the queue before this flow looks, and the end is published before the ending flow looks for
  // it. One of the two calls it.
  if (done() && !TG_PLANTED(task_is_watched_without_second_look)) done_waiters_.release_all();
  release_handle();
}

bool TaskSlot::is_of_this_process() const noexcept {
  return static_cast<std::uint8_t>(runtime::fork_generation()) == fork_generation_;
}

WaitOutcome TaskSlot::wait_for(Duration timeout) {
  return wait_watching(event_of_caller(), runtime::after(timeout));
}

WaitOutcome TaskSlot::wait() {
  if (done()) [[likely]]
    return WaitOutcome::ready;
  if (status() == TaskStatus::pending && is_of_this_process()) {
    TaskContext* const caller = TaskContext::current();
    const bool own_group = caller != nullptr && caller->node == group_;
    if (own_group ? group_->run_now(*this) : run_if_below(caller, event_of_caller()))
      return WaitOutcome::ready;
  }
  return wait_watching(event_of_caller(), TimePoint::never());
}

// A reference to the group of a task that is still pending: the group cannot end before the task is done.
class TaskSlot::HeldGroup {
 public:
  explicit HeldGroup(TaskSlot& task) {
    const auto hold = [&] {
      if (task.status_.load(std::memory_order_seq_cst) != TaskStatus::pending) return;  // Q1
      node_ = task.group_;
      node_->add_reference();
    };
    if (TG_PLANTED(task_helper_holds_no_group)) {
      hold();
    } else {
      task.done_waiters_.look_before_release(hold);
    }
  }
  ~HeldGroup() {
    if (node_ != nullptr) node_->release();
  }
  HeldGroup(const HeldGroup&) = delete;
  HeldGroup& operator=(const HeldGroup&) = delete;
  bool operator==(std::nullptr_t) const noexcept { return node_ == nullptr; }
  Node* operator->() const noexcept { return node_; }
  Node& operator*() const noexcept { return *node_; }

 private:
  Node* node_ = nullptr;
};

bool TaskSlot::set_event(std::string&& message, SourceLocation where) {
  if (done() || !is_of_this_process()) return false;
  Reason reason = reason_from_here(ReasonKind::requested, std::move(message), where);
  if (const HeldGroup group(*this); group != nullptr && group->skip_task(*this, reason)) return true;
  TaskScope* const own = own_scope();
  return own != nullptr && own->set_event(std::move(reason));
}

// Runs the task here and now if it is the next one of its group, a slot is free, and the caller is outside
// any task or in one of a group above (not of the same group). The group may be about to end, but not while
// the task is pending.
bool TaskSlot::run_if_below(TaskContext* caller, Event* event) {
  const HeldGroup group(*this);
  if (group == nullptr) return false;
  if (caller == nullptr) return group->help_with(*this);
  if (!Forest::instance().is_same_or_descendant(*group, *caller->node)) return false;
  const RecordedWait recorded(caller, WaitTarget(awaited()), {event, nullptr}, RecordedWait::WhileItRuns());
  return group->help_with(*this);
}

void TaskSlot::refuse_endless_wait(const TaskContext* caller) const {
  if (!is_of_this_process()) {
    throw ForkedError("task '" + Task::name() +
                      "' had not ended when this process was forked; it runs in the parent, and a wait "
                      "for it here would never end");
  }
  // A pending task is not on the caller's stack, which may be deep.
  if (caller != nullptr && status() != TaskStatus::pending && caller->holds(*this))
    throw_own_task(*caller, awaited());
}

WaitOutcome TaskSlot::wait_watching(Event* event, TimePoint deadline, Event* other) {
  if (done()) return WaitOutcome::ready;
  TaskContext* const caller = TaskContext::current();
  refuse_endless_wait(caller);
  if (!deadline.is_never() && runtime::now() >= deadline)
    return is_set(event) || is_set(other) ? WaitOutcome::event_set : WaitOutcome::timed_out;
  const bool own_group = caller != nullptr && caller->node == group_;
  // Not with a deadline: the caller could not keep to it while it runs the task.
  if (own_group && deadline.is_never() && caller->node->run_now(*this)) return WaitOutcome::ready;
  // On another thread it may be about to end, or to begin; going to sleep and being woken takes longer than
  // most short tasks. But not if that thread is likely to wait for this one's processor.
  const runtime::Flow* const me = runtime::Flow::current_if_any();
  if (me == nullptr || !me->waker_was_here()) runtime::wait_briefly([this] { return done(); });
  const auto is_done = [this] { return done(); };
  if (is_done()) return WaitOutcome::ready;
  // A task that runs already needs no further slot, so for a moment the caller keeps its own: lending it
  // would start one more thread, and most tasks end before that thread begins to work.
  if (own_group && status() == TaskStatus::running) {
    const TimePoint lend_at = runtime::after(kKeepsSlot);
    if (lend_at < deadline) {
      const WaitOutcome outcome = detail::wait(done_waiters_, is_done, {event, other}, lend_at);
      if (outcome != WaitOutcome::timed_out) return outcome;
    }
  }
  RecordedWait recorded(caller, WaitTarget(awaited()), {event, other}, deadline, own_group);
  const SlotLent lent(caller, own_group);
  const WaitOutcome outcome = detail::wait(done_waiters_, is_done, {event, other}, deadline);
  recorded.end();
  return outcome;
}

AwaitedTask TaskSlot::awaited() const noexcept {
  const auto state_of = [](const Task& task) noexcept {
    const TaskStatus status = static_cast<const TaskSlot&>(task).status();
    return status == TaskStatus::pending   ? AwaitedTask::State::pending
           : status == TaskStatus::running ? AwaitedTask::State::running
                                           : AwaitedTask::State::done;
  };
  return {this, group_, state_of, [](const Task& task) { return task.name(); }};
}

// --- Who has the result ---

void TaskSlot::begin_copy() {
  std::uint8_t seen = flags_.load(std::memory_order_acquire);
  do {
    if ((seen & kResultIsTaken) != 0) throw_taken();
    if ((seen & kCopies) == kCopies) return;
  } while (!flags_.compare_exchange_weak(seen, static_cast<std::uint8_t>(seen + kOneCopy),
                                         std::memory_order_acq_rel, std::memory_order_acquire));
}

void TaskSlot::end_copy() noexcept {
  std::uint8_t seen = flags_.load(std::memory_order_acquire);
  while ((seen & kCopies) != kCopies &&
         !flags_.compare_exchange_weak(seen, static_cast<std::uint8_t>(seen - kOneCopy),
                                       std::memory_order_acq_rel, std::memory_order_acquire)) {
  }
}

void TaskSlot::keep_result() {
  std::uint8_t seen = flags_.load(std::memory_order_acquire);
  do {
    if ((seen & kResultIsTaken) != 0) throw_taken();
    if ((seen & kCopies) == kCopies) return;
  } while (!flags_.compare_exchange_weak(seen, seen | kCopies, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
}

void TaskSlot::claim_taken() {
  std::uint8_t seen = flags_.load(std::memory_order_acquire);
  do {
    if ((seen & kResultIsTaken) != 0) throw_taken();
    // The owner of the only handle knows what it has shown. (Acquire: after what went on under the others.)
    if ((seen & kCopies) != 0 && (references_.load(std::memory_order_acquire) & ~kPool) != 1) {
      throw std::logic_error(
          "the result of task '" + shown_name() + "' cannot be taken, because another handle " +
          ((seen & kCopies) == kCopies ? "may use what `view` has returned" : "is copying it in `get`"));
    }
  } while (!flags_.compare_exchange_weak(seen, seen | kResultIsTaken, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
}

void TaskSlot::throw_taken() {
  throw std::logic_error("the result of task '" + shown_name() + "' was taken before");
}

void throw_no_task() {
  throw std::logic_error(
      "this TaskHandle has no task: it was default-constructed or moved from; assign it what `add_task` "
      "returns");
}

void TaskSlot::wait_for_success() { throw_unless_succeeded(wait()); }

void TaskSlot::wait_for_success(Duration timeout) {
  const WaitOutcome outcome = wait_for(timeout);
  if (outcome == WaitOutcome::timed_out)
    throw TimedOut("task '" + Task::name() + "' has not ended within " + to_string(timeout));
  throw_unless_succeeded(outcome);
}

void TaskSlot::throw_unless_succeeded(WaitOutcome outcome) {
  if (outcome == WaitOutcome::event_set) throw WaitInterrupted(Task::name(), event_of_caller()->reason());
  switch (status()) {
    case TaskStatus::failed:
      claim_failure();  // this caller sees it; a join need not tell it again
      std::rethrow_exception(ending_.exception);
    case TaskStatus::stopped:
      std::rethrow_exception(ending_.exception);
    case TaskStatus::skipped:
      throw TaskSkipped(Task::name(), ending_.reason);
    default:
      return;
  }
}

}  // namespace tg::inline v0::detail
