// SPDX-License-Identifier: Apache-2.0
// Waiting for a task, and what is thrown instead of a result.
#include <system_error>

#include <threadgroup/base/errors.hpp>
#include <threadgroup/base/spin.hpp>
#include <threadgroup/result/errors.hpp>
#include <threadgroup/result/task_slot.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/tree/forest.hpp>

namespace tg::detail {

TaskSlot::TaskSlot(Node& group, std::string name)
    : group_(&group),
      fork_generation_(runtime::fork_generation()),
      name_(name.empty() ? nullptr : new std::string(std::move(name))) {}

TaskSlot::~TaskSlot() { delete name_.load(std::memory_order_relaxed); }

const std::string& TaskSlot::given_name() const noexcept {
  static const std::string none;
  const std::string* const name = name_.load(std::memory_order_acquire);
  return name != nullptr ? *name : none;
}

const std::string& TaskSlot::shown_name() {
  if (const std::string* name = name_.load(std::memory_order_acquire)) return *name;
  auto made = std::make_unique<const std::string>(Task::name());
  const std::string* expected = nullptr;
  if (name_.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *expected;  // somebody else was faster
}

TaskStatus TaskSlot::end(TaskStatus status, std::exception_ptr exception, ReasonPointer reason) noexcept {
  exception_ = std::move(exception);
  reason_ = std::move(reason);
  status_.store(status, std::memory_order_seq_cst);  // Q1: before we look for waiters
  // In the child of a fork that the task made, the waiters are the parent's: their stacks are gone.
  if (runtime::fork_generation() == fork_generation_) {
    done_waiters_.release_all();
    if (watchers_.load(std::memory_order_seq_cst) != nullptr) tell_watchers();
  }
  return status;
}

void TaskSlot::watch(TaskWatcher& watcher) noexcept {
  TaskWatcher* first = watchers_.load(std::memory_order_relaxed);
  do watcher.next_ = first;
  while (!watchers_.compare_exchange_weak(first, &watcher, std::memory_order_seq_cst));
  // As Q1: we have put ourselves in before we look; `end` publishes before it looks. One of the two tells.
  if (done()) tell_watchers();
}

void TaskSlot::tell_watchers() noexcept {
  TaskWatcher* watcher = watchers_.exchange(nullptr, std::memory_order_seq_cst);
  while (watcher != nullptr) {
    TaskWatcher* const next = watcher->next_;
    watcher->ended();  // it may be gone afterwards
    watcher = next;
  }
}

namespace {
constexpr int kSpins = 100;
}

WaitOutcome TaskSlot::wait(TimePoint deadline) { return wait_watching(event_of_caller(), deadline); }

WaitOutcome TaskSlot::wait_watching(Event* event, TimePoint deadline) {
  if (done()) return WaitOutcome::ready;
  if (runtime::fork_generation() != fork_generation_) {
    throw ForkedError("task '" + Task::name() +
                      "' was unfinished when this process was forked; it runs in the parent, and nothing "
                      "will come of waiting for "
                      "it here");
  }
  TaskContext* const caller = TaskContext::current();
  if (caller != nullptr && caller->holds(*this)) {
    throw std::system_error(
        std::make_error_code(std::errc::resource_deadlock_would_occur),
        "task '" + caller->task_name() + "' waits for " +
            (caller->task == this ? "itself" : "task '" + Task::name() + "', which waits for it"));
  }
  if (!deadline.is_never() && runtime::now() >= deadline) return WaitOutcome::timed_out;
  const bool own_group = caller != nullptr && caller->node == group_;
  // Not with a deadline: nobody could keep it while the task runs.
  if (own_group && deadline.is_never() && caller->node->run_now(*this)) return WaitOutcome::ready;
  // On another thread it may be about to end; going to sleep and being woken takes longer than most short
  // tasks.
  for (int i = 0; i < kSpins && status() == TaskStatus::running; ++i) relax();
  if (done()) return WaitOutcome::ready;
  const PlaceLent lent(own_group ? caller : nullptr);
  return detail::wait(
      done_waiters_, [this] { return done(); }, {event, nullptr}, deadline);
}

void TaskSlot::wait_for_success() {
  if (wait(TimePoint::never()) == WaitOutcome::event_set) {
    const ReasonPointer reason = event_of_caller()->reason();
    throw WaitInterrupted(Task::name(), *reason);
  }
  switch (status()) {
    case TaskStatus::failed:
      claim_failure();  // this caller sees it; a join need not tell it again
      std::rethrow_exception(exception_);
    case TaskStatus::skipped:
      throw TaskSkipped(Task::name(), *reason_);
    default:
      return;
  }
}

}  // namespace tg::detail
