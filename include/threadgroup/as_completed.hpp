// SPDX-License-Identifier: Apache-2.0
// Ranges of tasks and results in the order in which they end.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/detail/completions.hpp>
#include <threadgroup/detail/task_slot.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/task_handle.hpp>

namespace tg {
inline namespace v0 {

/// A single-pass range of tasks or results in the order in which they end.
///
///     for (auto& result : group.as_completed()) std::cout << result << '\n';
///
/// A task is started each time a finished one is taken out, so a slow reader slows the work down and results
/// do not pile up. When the loop is left, no more tasks are started. Running tasks continue, and their
/// failures reach the group's join.
///
/// Guarantees: the wait for the next task ends when the event of the caller's scope or group is set. Then the
/// range ends, and `interrupted` returns true. In a forked child an inherited range throws `ForkedError`.
/// Thread safety: none; one thread uses it.
/// Lifetime: that of its group.
template <class T, class Item = TaskHandle<T>>
class AsCompleted {
 public:
  /// Starts one more task and returns its handle, or an invalid handle at the end.
  using Feed = UniqueFunction<TaskHandle<T>()>;

  /// At most `window` tasks are started and not yet taken out. `at_end` is called once, when all tasks have
  /// been taken out.
  AsCompleted(Feed feed, std::size_t window, UniqueFunction<void()> at_end = {})
      : feed_(std::move(feed)), at_end_(std::move(at_end)), window_(window) {}
  AsCompleted(AsCompleted&&) noexcept = default;
  AsCompleted& operator=(AsCompleted&&) noexcept = default;

  /// Waits for the next task to end. Null at the end of the range. The pointer is valid until the next call.
  Item* next() {
    completions_.check_process();
    current_.reset();
    refill();
    if (outstanding_ == 0) {
      if (at_end_) std::exchange(at_end_, {})();
      return nullptr;
    }
    detail::TaskSlot* const ended = completions_.next();
    if (ended == nullptr) {
      interrupted_ = true;
      return nullptr;
    }
    TaskHandle<T> task = detail::SlotOf::adopt<T>(*ended);
    --outstanding_;
    if constexpr (std::is_same_v<Item, ResultStruct>) {
      if (task.status() == TaskStatus::failed) ended->claim_failure();  // the reader sees it
    }
    current_.emplace(std::move(task));
    return &*current_;
  }
  /// True if the range ended early, because the caller's scope or group was stopped.
  bool interrupted() const noexcept { return interrupted_; }

  /// An input iterator over the range.
  class Iterator {
   public:
    using value_type = Item;                           ///< what the range yields
    using difference_type = std::ptrdiff_t;            ///< required of iterators
    using iterator_concept = std::input_iterator_tag;  ///< the range can be read once
    /// Waits for the first item.
    explicit Iterator(AsCompleted* range) : range_(range), item_(range->next()) {}
    /// The current item, valid until the iterator is advanced.
    Item& operator*() const noexcept { return *item_; }
    /// The current item, valid until the iterator is advanced.
    Item* operator->() const noexcept { return item_; }
    /// Waits for the next item.
    Iterator& operator++() {
      item_ = range_->next();
      return *this;
    }
    /// Waits for the next item.
    void operator++(int) { ++*this; }
    /// True at the end of the range.
    friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
      return at.item_ == nullptr;
    }

   private:
    AsCompleted* range_;
    Item* item_;
  };
  /// Waits for the first item. Call it once: the range is single-pass.
  Iterator begin() { return Iterator(this); }
  /// The end of the range.
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  void refill() {
    while (feed_ && outstanding_ < window_) {
      TaskHandle<T> task = feed_();
      if (!task.valid()) {
        feed_ = {};
        return;
      }
      completions_.watch(*detail::SlotOf::release(std::move(task)));
      ++outstanding_;
    }
  }

  Feed feed_;
  UniqueFunction<void()> at_end_;
  detail::Completions completions_;
  std::size_t window_;
  std::size_t outstanding_ = 0;
  bool interrupted_ = false;
  std::optional<Item> current_;
};

/// The results of registered functions in the order in which the functions end.
using ResultStream = AsCompleted<Value, ResultStruct>;

/// The tasks in the order in which they end.
///
///     for (auto& task : as_completed(handles)) use(task.get());
///
/// Throws `std::logic_error` if a handle has no task.
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

}  // namespace v0
}  // namespace tg
