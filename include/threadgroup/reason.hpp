// SPDX-License-Identifier: Apache-2.0
// Why an event was set.
#pragma once

#include <compare>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include <threadgroup/duration.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {

/// Identifies a group for the life of the process. Zero is no group.
struct GroupId {
  std::uint64_t value = 0;
  friend auto operator<=>(GroupId, GroupId) = default;
};

enum class ReasonKind {
  requested,      ///< a call of `set_event`
  condition_met,  ///< a `wait_for_condition` came true
  failure,        ///< a task failed in a group that stops at the first failure
  deadline,       ///< the group's time limit passed
  destroyed,      ///< the group's object went away
  signal,         ///< the process got a signal to stop
};
const char* to_string(ReasonKind kind) noexcept;

/// Why an event was set, and where it started: on a descendant, `origin` names the group that was set first.
struct Reason {
  ReasonKind kind = ReasonKind::requested;
  std::string message;
  GroupId origin;
  std::string origin_path;          // "MainThread/Verifying Users"
  std::optional<std::string> task;  // the task that caused it, if one did
  SourceLocation where;
  TimePoint when;
  std::exception_ptr exception;  // of kind `failure`: what the task threw

  /// One line for people: "requested by MainThread/Verifying Users: enough users (main.cpp:42)".
  std::string str() const;
};

/// The text of an exception: its `what()`, or the name of its type if it has none or that is null.
std::string describe_exception(const std::exception_ptr& exception);

}  // namespace tg
