// SPDX-License-Identifier: Apache-2.0
// Results in the order in which they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <threadgroup/base/errors.hpp>
#include <threadgroup/base/mutex.hpp>
#include <threadgroup/base/unique_function.hpp>
#include <threadgroup/event/caller.hpp>
#include <threadgroup/event/wait.hpp>
#include <threadgroup/result/result_list.hpp>
#include <threadgroup/result/task_handle.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/tree/wait_graph.hpp>

namespace tg {

namespace detail {

/// A queue of the tasks that have ended, in the order of their ends. It lives as long as a task will still
/// report its end to it.
///
/// Thread safety: the reader's functions belong to one flow; the tasks end on any.
template <class T>
class CompletionQueue final : public AwaitedTasks {
 public:
  CompletionQueue() = default;
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;
  ~CompletionQueue() {
    if (is_in_forked_child()) return;  // the lock may be held for ever by a thread of the parent
    while (Watcher* watcher = pop()) delete watcher;
  }

  static void watch(std::shared_ptr<CompletionQueue> queue, TaskHandle<T> task) {
    auto* const slot = SlotOf::get(task);
    auto* const watcher = new Watcher(queue, std::move(task));
    queue->enlist(*watcher);
    slot->watch(*watcher);
  }

  std::optional<TaskHandle<T>> take() {
    const std::unique_ptr<Watcher> watcher(pop());
    if (watcher == nullptr) return std::nullopt;
    strike_off(*watcher);
    return std::move(watcher->task);
  }
  /// The tasks are the parent's then, and none will come here any more.
  bool is_in_forked_child() const noexcept { return fork_generation_ != runtime::fork_generation(); }
  /// The tasks that were not taken out yet; they do not change while the reader waits.
  bool all_of(FunctionRef<bool(const AwaitedTask&)> f) const override {
    for (const Watcher* watcher = first_listed_; watcher != nullptr; watcher = watcher->next_listed) {
      if (!f(SlotOf::get(watcher->task)->awaited())) return false;
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
    Watcher(std::shared_ptr<CompletionQueue> q, TaskHandle<T> t) noexcept
        : queue(std::move(q)), task(std::move(t)) {}
    void ended() noexcept override {
      // Out of the node before the node goes in, or queue and node would keep each other alive.
      const std::shared_ptr<CompletionQueue> to = std::move(queue);
      to->push(*this);
      to->waiters_.release_all();
    }
    std::shared_ptr<CompletionQueue> queue;
    TaskHandle<T> task;
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

}  // namespace detail

/// A range of tasks or results in the order in which they end, to be gone through once.
///
///     for (auto& result : group.as_completed()) std::cout << result << '\n';
///
/// Tasks are started as earlier ones are taken out, so a slow reader holds up the work instead of piling up
/// results. Leaving the loop starts no more; what runs goes on, and its failures reach the group's join.
///
/// Guarantees: the wait for the next one ends when the event of the caller's own group is set: then the range
/// ends, and `interrupted` says so. In a forked child an inherited range throws `ForkedError`.
/// Thread safety: none; it belongs to one thread.
/// Lifetime: that of its group.
template <class T, class Item = TaskHandle<T>>
class AsCompleted {
 public:
  /// Starts one more task and returns its handle; an invalid one if there are no more.
  using Feed = UniqueFunction<TaskHandle<T>()>;

  /// At most `window` tasks are started and not yet taken out. `at_end` is called once all have been.
  AsCompleted(Feed feed, std::size_t window, UniqueFunction<void()> at_end = {})
      : feed_(std::move(feed)),
        at_end_(std::move(at_end)),
        queue_(std::make_shared<detail::CompletionQueue<T>>()),
        window_(window) {}
  AsCompleted(AsCompleted&&) noexcept = default;
  AsCompleted& operator=(AsCompleted&&) noexcept = default;

  /// Waits for the next one; null at the end. It is valid until the next call.
  Item* next() {
    if (queue_->is_in_forked_child()) {
      throw ForkedError(
          "as_completed: this process was forked while the range was being read, and its tasks are the "
          "parent's; make a new range here");
    }
    current_.reset();
    refill();
    if (outstanding_ == 0) {
      if (at_end_) std::exchange(at_end_, {})();
      return nullptr;
    }
    detail::TaskContext* const caller = detail::TaskContext::current();
    detail::Event* const event = detail::event_of_caller();
    std::optional<TaskHandle<T>> task = queue_->take();
    if (!task) {
      const bool lends = lends_to_ != nullptr && caller != nullptr && caller->node == lends_to_;
      detail::RecordedWait recorded(caller, detail::WaitTarget(*queue_), {event, nullptr}, TimePoint::never(),
                                    lends);
      const detail::PlaceLent lent(lends ? caller : nullptr);
      const WaitOutcome outcome = detail::wait(
          queue_->waiters(), [this] { return !queue_->empty(); }, {event, nullptr}, TimePoint::never());
      recorded.end();
      if (outcome != WaitOutcome::ready) {
        interrupted_ = true;
        return nullptr;
      }
      task = queue_->take();
    }
    --outstanding_;
    if constexpr (std::is_same_v<Item, ResultStruct>) {
      if (task->status() == TaskStatus::failed)
        detail::SlotOf::get(*task)->claim_failure();  // the reader sees it
    }
    current_.emplace(std::move(*task));
    return &*current_;
  }
  /// The range ended early, because the caller's own group was stopped.
  bool interrupted() const noexcept { return interrupted_; }

  class Iterator {
   public:
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit Iterator(AsCompleted* range) : range_(range), item_(range->next()) {}
    Item& operator*() const noexcept { return *item_; }
    Item* operator->() const noexcept { return item_; }
    Iterator& operator++() {
      item_ = range_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
      return at.item_ == nullptr;
    }

   private:
    AsCompleted* range_;
    Item* item_;
  };
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  void refill() {
    while (feed_ && outstanding_ < window_) {
      TaskHandle<T> task = feed_();
      if (!task.valid()) {
        feed_ = {};
        return;
      }
      // For what it throws: the task may be the caller, or have stayed behind in the parent of a fork.
      if (!task.done()) static_cast<void>(task.wait(Duration()));
      if (const detail::TaskContext* caller = detail::TaskContext::current();
          caller != nullptr && detail::SlotOf::get(task)->belongs_to(caller->node)) {
        lends_to_ = caller->node;
      }
      detail::CompletionQueue<T>::watch(queue_, std::move(task));
      ++outstanding_;
    }
  }

  Feed feed_;
  UniqueFunction<void()> at_end_;
  std::shared_ptr<detail::CompletionQueue<T>> queue_;
  std::size_t window_;
  std::size_t outstanding_ = 0;
  const detail::Node* lends_to_ = nullptr;  // the caller's group, if one of the tasks is of it
  bool interrupted_ = false;
  std::optional<Item> current_;
};

/// The results of registered functions as they come.
using ResultStream = AsCompleted<Value, ResultStruct>;

/// The tasks in the order in which they end.
///
///     for (auto& task : as_completed(handles)) use(task.get());
///
/// Throws `std::logic_error` if one of the handles has no task.
template <class T>
AsCompleted<T> as_completed(std::vector<TaskHandle<T>> tasks) {
  for (const TaskHandle<T>& task : tasks) {
    if (!task.valid()) detail::throw_no_task();
  }
  const std::size_t count = tasks.size();
  return AsCompleted<T>(
      [tasks = std::move(tasks), at = std::size_t{0}]() mutable {
        return at < tasks.size() ? std::move(tasks[at++]) : TaskHandle<T>();
      },
      count);
}

}  // namespace tg
