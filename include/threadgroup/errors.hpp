// SPDX-License-Identifier: Apache-2.0
// What the library throws, how failures of tasks are told, and where those go that no caller sees.
#pragma once

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {

/// A call that needs a group was made where there is none: on the main thread or on a thread that the library
/// did not start.
class NoGroupError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// A group, or the handle of an unfinished task, was used in a process forked from the one that made it. The
/// threads that would do the work do not exist there.
class ForkedError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Arguments do not fit a function: their number or their types are wrong. The text names the function.
class ArgumentError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// The work ends here because an event was set; `reason` says why it was.
///
///     if (const auto reason = tg::thread_utils::reason()) throw tg::Stopped("no more pages", *reason);
///
/// A task that exits by a `Stopped`, or by a type derived from it, while an event that covers the task is set
/// ends as `stopped`. That is not a failure, and no join throws it. Everything that the library throws
/// because of a stop derives from it.
/// Lifetime: copies share the reason.
class Stopped : public std::runtime_error {
 public:
  Stopped(const std::string& what, Reason reason)
      : Stopped(what, detail::ReasonPointer::adopt(new detail::SharedReason(std::move(reason)))) {}
  /// For the library, which has the reason already. Requires: there is one.
  Stopped(const std::string& what, detail::ReasonPointer reason)
      : std::runtime_error(what), reason_(std::move(reason)) {}

  const Reason& reason() const noexcept { return *reason_; }

 private:
  detail::ReasonPointer reason_;
};

/// A task that failed, and what it threw.
struct Failure {
  std::string task;
  std::exception_ptr exception;
  SourceLocation where = {};  ///< file and line where the task was added, if known
};
/// What the task threw, and where the task was added: "no route (added at main.cpp:42)".
std::string describe_failure(const Failure& failure);

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

/// Called with a group's path and a failure that neither a join nor a handle has seen when the group went
/// away, on the thread that destroyed the group.
using UnseenFailureHandler = std::function<void(const std::string& group_path, const Failure& failure)>;

/// Replaces the handler; an empty one restores the default, which writes group, task and text to stderr.
/// Returns the one before (empty: the default). A handler that throws is itself reported on stderr.
UnseenFailureHandler set_unseen_failure_handler(UnseenFailureHandler handler);

namespace detail {
/// Hands each failure to the handler.
void report_unseen(const std::string& group_path, const std::vector<Failure>& failures) noexcept;
}  // namespace detail

}  // namespace tg
