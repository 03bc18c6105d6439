// SPDX-License-Identifier: Apache-2.0
// The queue behind `Completions`.
#include <threadgroup/detail/completions.hpp>

#include <cstdint>
#include <utility>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/task_slot.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "result/task_watcher.hpp"
#include "runtime/fork.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

namespace {
// A reference to a task.
struct ReleaseHandle {
  void operator()(TaskSlot* task) const noexcept { task->release_handle(); }
};
using TaskReference = std::unique_ptr<TaskSlot, ReleaseHandle>;
}  // namespace

/// The tasks that have ended, in the order of their ends.
///
/// Thread safety: the reader's functions belong to one flow; the tasks end on any.
/// Lifetime: until the reader is gone and the last watched task has ended.
class CompletionQueue final : public AwaitedTasks {
 public:
  CompletionQueue() = default;
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;
  ~CompletionQueue() {
    if (is_in_forked_child()) return;  // the lock may be held forever by a thread of the parent
    while (Watcher* watcher = pop()) delete watcher;
  }

  static void watch(const std::shared_ptr<CompletionQueue>& queue, TaskReference task) {
    TaskSlot* const slot = task.get();
    auto* const watcher = new Watcher(queue, std::move(task));
    queue->enlist(*watcher);
    slot->watch(*watcher);
  }

  /// Null if none has ended.
  TaskSlot* take() {
    const std::unique_ptr<Watcher> watcher(pop());
    if (watcher == nullptr) return nullptr;
    strike_off(*watcher);
    return watcher->task.release();
  }
  /// The tasks are the parent's then, and none will come here any more.
  bool is_in_forked_child() const noexcept { return fork_generation_ != runtime::fork_generation(); }
  /// The tasks that were not taken out yet; they do not change while the reader waits.
  bool all_of(FunctionRef<bool(const AwaitedTask&)> f) const override {
    for (const Watcher* watcher = first_listed_; watcher != nullptr; watcher = watcher->next_listed) {
      if (!f(watcher->task->awaited())) return false;
    }
    return true;
  }
  bool empty() {
    MutexLock lock(mutex_);
    return first_ == nullptr;
  }
  WaitQueue& waiters() noexcept { return waiters_; }

 private:
  struct Watcher final : TaskWatcher {
    Watcher(std::shared_ptr<CompletionQueue> q, TaskReference t) noexcept
        : queue(std::move(q)), task(std::move(t)) {}
    void ended() noexcept override {
      // Take the reference out before the watcher is queued; otherwise queue and watcher would own each
      // other.
      const std::shared_ptr<CompletionQueue> to = std::move(queue);
      to->push(*this);
      to->waiters_.release_all();
    }
    std::shared_ptr<CompletionQueue> queue;
    TaskReference task;
    Watcher* next = nullptr;
    // The reader's.
    Watcher* previous_listed = nullptr;
    Watcher* next_listed = nullptr;
  };

  void enlist(Watcher& watcher) noexcept {
    watcher.next_listed = first_listed_;
    if (first_listed_ != nullptr) first_listed_->previous_listed = &watcher;
    first_listed_ = &watcher;
  }
  void strike_off(Watcher& watcher) noexcept {
    (watcher.previous_listed != nullptr ? watcher.previous_listed->next_listed : first_listed_) =
        watcher.next_listed;
    if (watcher.next_listed != nullptr) watcher.next_listed->previous_listed = watcher.previous_listed;
  }

  void push(Watcher& watcher) noexcept {
    MutexLock lock(mutex_);
    (first_ != nullptr ? last_->next : first_) = &watcher;
    last_ = &watcher;
  }
  Watcher* pop() noexcept {
    MutexLock lock(mutex_);
    Watcher* const watcher = first_;
    if (watcher != nullptr) first_ = watcher->next;
    return watcher;
  }

  const std::uint32_t fork_generation_ = runtime::fork_generation();
  Mutex mutex_;
  Watcher* first_ TG_GUARDED_BY(mutex_) = nullptr;
  Watcher* last_ TG_GUARDED_BY(mutex_) = nullptr;  // meaningless while the queue is empty
  WaitQueue waiters_;
  Watcher* first_listed_ = nullptr;  // the reader's: those not taken out yet
};

Completions::Completions() : queue_(std::make_shared<CompletionQueue>()) {}

void Completions::check_process() const {
  if (!queue_->is_in_forked_child()) return;
  throw ForkedError(
      "as_completed: this process was forked while the range was being read, and its tasks are the "
      "parent's; make a new range here");
}

void Completions::watch(TaskSlot& task) {
  TaskReference reference(&task);
  // Called for its checks: it throws if the task is the caller's own, or runs in the parent of a fork.
  if (!task.done()) static_cast<void>(task.wait_for(Duration()));
  if (const TaskContext* const caller = TaskContext::current();
      caller != nullptr && task.belongs_to(caller->node)) {
    lends_to_ = caller->node;
  }
  CompletionQueue::watch(queue_, std::move(reference));
}

TaskSlot* Completions::next() {
  TaskContext* const caller = TaskContext::current();
  Event* const event = event_of_caller();
  if (TaskSlot* const ended = queue_->take()) return ended;
  const bool lends = lends_to_ != nullptr && caller != nullptr && caller->node == lends_to_;
  RecordedWait recorded(caller, WaitTarget(*queue_), {event, nullptr}, TimePoint::never(), lends);
  const SlotLent lent(caller, lends);
  const WaitOutcome outcome = wait(
      queue_->waiters(), [this] { return !queue_->empty(); }, {event, nullptr}, TimePoint::never());
  recorded.end();
  return outcome == WaitOutcome::ready ? queue_->take() : nullptr;
}

}  // namespace tg::inline v0::detail
