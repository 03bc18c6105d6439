// SPDX-License-Identifier: Apache-2.0
// A task's own event: a scope around the run of the task, which handles can stop.
#pragma once

#include <exception>
#include <optional>
#include <string>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/reason.hpp>

namespace tg::inline v0::detail {

class ScopeNode;

/// A scope that lasts as long as the run of one task.
///
/// Thread safety: `set_event` from any thread; `run` once, by the flow that runs the task.
class TG_EXPORT TaskScope {
 public:
  /// The time limit counts from the start of the task.
  explicit TaskScope(std::optional<Duration> limit) noexcept : limit_(limit) {}
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  /// Calls `task` in the scope, or `refused` without one if there is no memory or thread for it.
  TaskStatus run(const std::string& name, FunctionRef<TaskStatus()> task,
                 FunctionRef<TaskStatus(std::exception_ptr)> refused) noexcept;
  /// For a task that has started: stops it unless it has ended. True if this call set the event.
  bool set_event(Reason reason);

 private:
  class Entered;

  const std::optional<Duration> limit_;
  Mutex mutex_;
  bool has_ended_ TG_GUARDED_BY(mutex_) = false;
  ScopeNode* node_ TG_GUARDED_BY(mutex_) = nullptr;     // a reference, while the task is in the scope
  std::optional<Reason> reason_ TG_GUARDED_BY(mutex_);  // of a stop that came before the scope was there
};

}  // namespace tg::inline v0::detail
