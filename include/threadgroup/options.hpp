// SPDX-License-Identifier: Apache-2.0
// The options of a group.
#pragma once

#include <cstddef>
#include <optional>

#include <threadgroup/duration.hpp>

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
};

}  // namespace v0
}  // namespace tg
