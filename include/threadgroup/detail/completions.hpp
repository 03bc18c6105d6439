// SPDX-License-Identifier: Apache-2.0
// Tasks in the order in which they end.
#pragma once

#include <memory>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

class CompletionQueue;
class Node;
class TaskSlot;

/// The tasks that a reader waits for, handed out in the order in which they end.
///
/// Thread safety: none; one flow uses it. The tasks end on any flow.
class TG_EXPORT Completions {
 public:
  Completions();
  Completions(Completions&&) noexcept = default;
  Completions& operator=(Completions&&) noexcept = default;

  /// Throws `ForkedError` in a forked child: the tasks are the parent's.
  void check_process() const;
  /// Takes over one reference of a handle. Throws what `TaskSlot::wait` throws for a task that the caller
  /// cannot wait for; then the reference is released.
  void watch(TaskSlot& task);
  /// Waits for the next task to end, and passes its reference to the caller. Null if the caller's event was
  /// set first. Requires: at least one task has not been handed out.
  TaskSlot* next();

 private:
  std::shared_ptr<CompletionQueue> queue_;  // shared with the tasks, which outlive the reader
  const Node* lends_to_ = nullptr;          // the caller's group, if one of the tasks is of it
};

}  // namespace tg::inline v0::detail
