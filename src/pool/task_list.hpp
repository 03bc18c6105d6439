// SPDX-License-Identifier: Apache-2.0
// A list of tasks.
#pragma once

#include <cstddef>

#include <threadgroup/detail/task.hpp>

namespace tg::inline v0::detail {

/// A first-in-first-out list through the tasks themselves. It owns nothing.
class TaskList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  Task* front() const noexcept { return first_; }

  /// Walks no further than it must.
  bool has_more_than(std::size_t count) const noexcept {
    const Task* task = first_;
    for (; task != nullptr && count > 0; --count) task = task->next_;
    return task != nullptr;
  }

  void push(Task& task) noexcept {
    task.next_ = nullptr;
    (first_ != nullptr ? last_->next_ : first_) = &task;
    last_ = &task;
  }
  Task* pop() noexcept {
    Task* const task = first_;
    if (task != nullptr) first_ = task->next_;
    return task;
  }
  /// Releases the tasks, and is empty afterwards. With no lock held: a release may end objects of the user's.
  void release_all() noexcept {
    while (Task* const task = pop()) task->release();
  }
  /// The one that follows this one, or the first one after null; null at the end.
  Task* after(const Task* task) const noexcept {
    if (task == nullptr) return first_;
    return task == last_ ? nullptr : task->next_;
  }
  /// Takes that one out. Requires: there is one.
  Task* remove_after(Task* task) noexcept {
    Task* const removed = after(task);
    (task != nullptr ? task->next_ : first_) = removed->next_;
    if (last_ == removed) last_ = task;
    return removed;
  }
  TaskList take_all() noexcept {
    TaskList all = *this;
    first_ = nullptr;
    return all;
  }
  void append(TaskList more) noexcept {
    if (more.empty()) return;
    (first_ != nullptr ? last_->next_ : first_) = more.first_;
    last_ = more.last_;
  }

 protected:
  Task* first_ = nullptr;
  Task* last_ = nullptr;  // meaningless while the list is empty
};

}  // namespace tg::inline v0::detail
