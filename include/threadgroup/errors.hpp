// SPDX-License-Identifier: Apache-2.0
// The exceptions of groups and tasks, `Failure`, and the handler for failures that no caller has seen.
#pragma once

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {
inline namespace v0 {

/// A call that needs the caller's own group was made outside a task, and not by an attached thread: on the main
/// thread, or on a thread that the library did not start.
class TG_EXPORT NoGroupError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// A group, or the handle of an unfinished task, was used in a process forked from the one that made it. The
/// threads that would do the work do not exist in the child.
class TG_EXPORT ForkedError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// The number or the types of arguments do not fit a function. The text names the function.
class TG_EXPORT ArgumentError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// The work ends here because an event was set. `reason` says why.
///
///     if (const auto reason = tg::thread_utils::reason()) throw tg::Stopped("no more pages", *reason);
///
/// A task that exits by a `Stopped`, or by a type derived from it, while an event that covers the task is set
/// ends as `stopped`. That is not a failure, and no join throws it. Every exception that the library throws
/// because of a stop derives from `Stopped`.
///
/// Lifetime: copies share the reason.
class TG_EXPORT Stopped : public std::runtime_error {
 public:
  /// Requires: `reason` is that of the event, as `thread_utils::reason` or `ThreadGroup::reason` returns it.
  Stopped(const std::string& what, Reason reason)
      : Stopped(what, detail::ReasonPointer::adopt(new detail::SharedReason(std::move(reason)))) {}
  /// For the library, which has a shared reason already. Requires: `reason` is not null.
  Stopped(const std::string& what, detail::ReasonPointer reason)
      : std::runtime_error(what), reason_(std::move(reason)) {}

  /// Why the event was set.
  const Reason& reason() const noexcept { return *reason_; }

 private:
  detail::ReasonPointer reason_;
};

/// A wait for a result ended without it, because the time-out passed. The task is not affected.
class TG_EXPORT TimedOut : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A task that failed, and what it threw.
struct Failure {
  std::string task;              ///< the task's name, or "task 17"
  std::exception_ptr exception;  ///< what it threw
  SourceLocation where = {};     ///< file and line where the task was added, if known
};
/// What the task threw, and where the task was added: "no route (added at main.cpp:42)".
TG_EXPORT std::string describe_failure(const Failure& failure);

/// Several tasks failed. (A single failure is thrown as itself.) For each task the text says what was thrown
/// and where the task was added.
class TG_EXPORT TaskFailures : public std::runtime_error {
 public:
  /// `group` is the path of the group, for the text.
  TaskFailures(const std::string& group, std::vector<Failure> failures);
  /// All failures, in the order in which they happened.
  const std::vector<Failure>& failures() const noexcept { return failures_; }

 protected:
  /// `what` is the word for one of the tasks in the text: "task", "function".
  TaskFailures(const char* what, const std::string& group, std::vector<Failure> failures);

 private:
  std::vector<Failure> failures_;
};

/// The result of a task was requested, but the task never ran: its group was stopped first, or the task was
/// skipped by `clear_pending`.
class TG_EXPORT TaskSkipped : public Stopped {
 public:
  /// `task` is the name of the task, for the text.
  TaskSkipped(const std::string& task, Reason reason);
  /// For the library, which has a shared reason already.
  TaskSkipped(const std::string& task, const detail::ReasonPointer& reason);
};

/// A wait for a result ended without it, because the caller's scope or group was stopped first.
class TG_EXPORT WaitInterrupted : public Stopped {
 public:
  /// `task` is the name of the task that was waited for, for the text.
  WaitInterrupted(const std::string& task, Reason reason);
  /// For the library, which has a shared reason already.
  WaitInterrupted(const std::string& task, const detail::ReasonPointer& reason);
};

/// Receives the failures that neither a join nor a handle has delivered when their group is destroyed. It is
/// called on the thread that destroys the group, once for each failure.
using UnseenFailureHandler = std::function<void(const std::string& group_path, const Failure& failure)>;

/// Replaces the handler for unseen failures. An empty one restores the default, which writes group, task and
/// text to stderr. Returns the previous handler (empty: the default). If a handler throws, that is reported
/// on stderr.
TG_EXPORT UnseenFailureHandler set_unseen_failure_handler(UnseenFailureHandler handler);

namespace detail {
/// Hands each failure to the handler.
TG_EXPORT void report_unseen(const std::string& group_path, const std::vector<Failure>& failures) noexcept;
}  // namespace detail

}  // namespace v0
}  // namespace tg
