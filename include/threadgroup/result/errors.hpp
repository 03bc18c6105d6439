// SPDX-License-Identifier: Apache-2.0
// What joins and handles throw.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/event/reason.hpp>
#include <threadgroup/event/stopped.hpp>
#include <threadgroup/pool/task.hpp>

namespace tg {

/// Several tasks failed. One failure alone is thrown as itself. The text says of each what was thrown and
/// where the task was added.
class TaskFailures : public std::runtime_error {
 public:
  TaskFailures(const std::string& group, std::vector<Failure> failures);
  /// All of them, in the order in which they happened.
  const std::vector<Failure>& failures() const noexcept { return failures_; }

 protected:
  /// `what` is the word for one of them in the text: "task", "function".
  TaskFailures(const char* what, const std::string& group, std::vector<Failure> failures);

 private:
  std::vector<Failure> failures_;
};

/// The result of a task was requested, but the task never ran: its group was stopped first, or the task was
/// skipped by `clear_pending`.
class TaskSkipped : public Stopped {
 public:
  TaskSkipped(const std::string& task, Reason reason);
  TaskSkipped(const std::string& task, const detail::ReasonPointer& reason);
};

/// `TaskHandle::get` gave up, because the caller's own group was stopped before the result was there.
class WaitInterrupted : public Stopped {
 public:
  WaitInterrupted(const std::string& task, Reason reason);
  WaitInterrupted(const std::string& task, const detail::ReasonPointer& reason);
};

}  // namespace tg
