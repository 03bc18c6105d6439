// SPDX-License-Identifier: Apache-2.0
// Results in the order in which they come.
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
      : feed_(std::move(feed)), at_end_(std::move(at_end)), window_(window) {}
  AsCompleted(AsCompleted&&) noexcept = default;
  AsCompleted& operator=(AsCompleted&&) noexcept = default;

  /// Waits for the next one; null at the end. It is valid until the next call.
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
