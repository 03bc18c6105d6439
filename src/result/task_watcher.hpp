// SPDX-License-Identifier: Apache-2.0
// A call when a task has ended.
#pragma once

#include <threadgroup/detail/wait_queue.hpp>

namespace tg::inline v0::detail {

/// Is called once when a task has ended. It owns itself from `TaskSlot::watch` until `ended` is called.
class TaskWatcher : public WaitNode {
 public:
  TaskWatcher() noexcept
      : WaitNode([](WaitNode& node) noexcept { static_cast<TaskWatcher&>(node).ended(); }) {}

  /// Called on whichever flow ended the task (or was late to watch it), with no lock held.
  virtual void ended() noexcept = 0;

 protected:
  ~TaskWatcher() = default;
};

}  // namespace tg::inline v0::detail
