// SPDX-License-Identifier: Apache-2.0
// What can be chosen when a group is made.
#pragma once

#include <cstddef>
#include <optional>

#include <threadgroup/duration.hpp>

namespace tg {

/// What a group does when one of its tasks fails.
enum class OnFailure {
  keep_going,  ///< the others go on; the failure waits for a join
  set_event,   ///< the others are stopped, too
};

struct GroupOptions {
  std::size_t max_concurrent_threads = 32;       ///< at least 1
  bool daemon = false;                           ///< roots a tree of its own: no ancestor's event reaches it
  OnFailure on_failure = OnFailure::keep_going;  ///< or `set_event`: the first failure stops the others, too
  /// From the construction on; then the event is set with a reason of kind `deadline`.
  std::optional<Duration> time_limit = {};
};

}  // namespace tg
