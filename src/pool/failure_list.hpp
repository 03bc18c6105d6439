// SPDX-License-Identifier: Apache-2.0
// The failures of a group that wait to be delivered.
#pragma once

#include <vector>

#include <threadgroup/detail/task.hpp>
#include <threadgroup/errors.hpp>

#include "pool/task_list.hpp"

namespace tg::inline v0::detail {

/// The failed tasks of a group, in the order in which they failed, until a join takes them.
///
/// A failure that a handle has delivered in the meantime leaves the list soon: each push checks the next two,
/// in turn, so delivered failures never make up more than about a third of the list.
///
/// Thread safety: none; the pool's lock guards it.
class FailureList {
 public:
  bool empty() const noexcept { return tasks_.empty(); }
  /// Adds the task. Those that leave the list go to `delivered`, to be released without a lock.
  void push(Task& task, TaskList& delivered) noexcept;
  TaskList take_all() noexcept;
  /// For what was taken and not delivered.
  void put_back(TaskList tasks) noexcept;

 private:
  TaskList tasks_;
  Task* looked_at_ = nullptr;  // the last one that was found undelivered; null: begin with the first
};

/// Releases the failed tasks, and appends the failures that were not delivered before. Throws
/// `std::bad_alloc`; then what is left stays in the list.
void deliver(TaskList& failed, std::vector<Failure>& taken);

}  // namespace tg::inline v0::detail
