// SPDX-License-Identifier: Apache-2.0
// A list of tasks from the middle of which one can be taken.
#pragma once

#include <threadgroup/detail/task.hpp>

#include "pool/task_list.hpp"

namespace tg::inline v0::detail {

/// A first-in-first-out list of tasks that have not begun.
///
/// The tasks that others may wait for know their predecessors, so that they can be taken out in constant
/// time. The other tasks do not, and a pop does not write to the next task: its link to a predecessor is not
/// valid once it is the first one.
class PendingList : private TaskList {
 public:
  using TaskList::empty;
  using TaskList::front;
  using TaskList::has_more_than;
  using TaskList::pop;

  void push(Task& task) noexcept {
    set_previous(task, last_);
    TaskList::push(task);
  }
  void append(PendingList more) noexcept {
    if (more.empty()) return;
    set_previous(*more.first_, last_);
    TaskList::append(more);
  }
  PendingList take_all() noexcept {
    PendingList all = *this;
    first_ = nullptr;
    return all;
  }
  /// The same for tasks that will be ended without having begun.
  TaskList take_all_to_end() noexcept { return TaskList::take_all(); }

  bool begins_or_ends_with(const Task& task) const noexcept {
    return !empty() && (first_ == &task || last_ == &task);
  }
  /// Takes the task out. Requires: it is in this list. (Or neither first nor last in another one, if this one
  /// is not empty: then only its neighbours change.)
  void remove(ClaimableTask& task) noexcept {
    if (first_ == &task) {
      first_ = task.next_;
      return;
    }
    Task* const previous = task.ending_.previous;
    previous->next_ = task.next_;
    if (last_ == &task) {
      last_ = previous;
    } else {
      set_previous(*task.next_, previous);
    }
  }
  /// The same by its number, wherever it is: linear, for the rare case. False if it is not here.
  bool remove(std::uint64_t number) noexcept {
    Task* previous = nullptr;
    for (Task* task = front(); task != nullptr; previous = task, task = after(task)) {
      if (task->number() != number) continue;
      remove_after(previous);
      if (Task* const next = after(previous)) set_previous(*next, previous);
      return true;
    }
    return false;
  }

 private:
  static void set_previous(Task& task, Task* previous) noexcept {
    if (task.is_claimable()) static_cast<ClaimableTask&>(task).ending_.previous = previous;
  }
};

}  // namespace tg::inline v0::detail
