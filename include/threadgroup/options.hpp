// SPDX-License-Identifier: Apache-2.0
// The options of groups and tasks.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {
inline namespace v0 {

/// What a group does when one of its tasks fails.
enum class OnFailure {
  keep_going,  ///< the other tasks continue; a join throws the failure
  set_event,   ///< the group's event is set, so the other tasks are stopped
};

/// Options of a `ThreadGroup`.
struct GroupOptions {
  std::size_t max_concurrent_threads = 32;       ///< how many tasks may run at a time: at least 1
  bool daemon = false;                           ///< roots a tree of its own: no event from above reaches it
  OnFailure on_failure = OnFailure::keep_going;  ///< what the first failure of a task does to the others
  /// The time from the construction of the group to its deadline. At the deadline the event is set with a
  /// reason of kind `deadline`.
  std::optional<Duration> time_limit = {};
  /// How many tasks may be pending: at least 1. While so many have not started, `add_task` and `post` wait,
  /// and `try_add_task` adds nothing. Without a value there is no limit.
  std::optional<std::size_t> max_pending = {};
  /// How many tasks of this group and of all groups below it may run at a time: at least 1. It applies on top
  /// of the `max_concurrent_threads` of each of them. Daemon groups that they make are not included.
  std::optional<std::size_t> max_concurrent_in_subtree = {};
};

/// The name of a task in reports, dumps and errors, and where the task was added.
///
///     group.add_task(tg::TaskName("fetch 17"), fetch, 17);
struct TaskName {
  /// Implicit. `added_at` is the caller's line by default.
  TaskName(std::string name, SourceLocation added_at = SourceLocation::current())
      : value(std::move(name)), where(added_at) {}
  std::string value;     ///< the name
  SourceLocation where;  ///< the call that named the task
};

/// A name, a time limit and an event of its own for one task.
///
///     const auto price = group.add_task(tg::TaskOptions{.name = "price 17", .time_limit = 2s}, fetch_price, 17);
struct TaskOptions {
  std::string name = {};  ///< in reports, dumps and errors; empty: "task 17"
  /// The time from the start of the task after which it is stopped, with a reason of kind `deadline`. The other
  /// tasks of the group are not affected. It gives the task an event of its own.
  std::optional<Duration> time_limit = {};
  bool own_event = false;  ///< `TaskHandle::set_event` can stop the task while it runs
  SourceLocation where = SourceLocation::current();  ///< the call that adds the task
};

}  // namespace v0
}  // namespace tg
