// SPDX-License-Identifier: Apache-2.0
// The reason of an event: why, where and by which group it was set.
#pragma once

#include <compare>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {
inline namespace v0 {

/// Identifies a group; unique within the process.
struct GroupId {
  std::uint64_t value = 0;  ///< 0: no group
  /// Compares by value.
  friend auto operator<=>(GroupId, GroupId) = default;
};

/// What set an event.
enum class ReasonKind {
  requested,      ///< a call of `set_event`
  condition_met,  ///< the condition of a `wait_for_condition` was true
  failure,        ///< a task failed in a group with `OnFailure::set_event`
  deadline,       ///< the group's time limit passed
  destroyed,      ///< the group's object was destroyed
  signal,         ///< the process received a signal to stop
  draining,       ///< the group is being shut down, and takes no task from outside
};
/// The enumerator's name: "condition_met".
TG_EXPORT const char* to_string(ReasonKind kind) noexcept;

/// Why an event was set, and where that started: the groups below share the reason of the group that was
/// stopped.
struct TG_EXPORT Reason {
  ReasonKind kind = ReasonKind::requested;  ///< what set the event
  std::string message;                      ///< the caller's text; may be empty
  GroupId origin;                           ///< the group whose event was set first
  std::string origin_path;                  ///< its path: "MainThread/Verifying Users"
  std::optional<std::string> task;          ///< the name of the task that caused it, if one did
  SourceLocation where;                     ///< the call that set the event, if known
  TimePoint when;                           ///< when the event was set, on the clock of `tg::now`
  std::exception_ptr exception;             ///< for `ReasonKind::failure`: what the task threw

  /// One line for people: "requested at MainThread/Verifying Users: enough users (main.cpp:42)".
  std::string str() const;
};

/// The text of an exception: its `what()`; "an exception of type X" if it has none or that is null.
TG_EXPORT std::string describe_exception(const std::exception_ptr& exception);

}  // namespace v0
}  // namespace tg
