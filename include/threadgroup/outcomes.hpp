// SPDX-License-Identifier: Apache-2.0
// How a task and a wait end.
#pragma once

#include <cstdint>

namespace tg {

/// How far a task is. It ends as exactly one of the last four.
enum class TaskStatus : std::uint8_t {
  pending,
  running,
  succeeded,  ///< it returned, whether or not it was stopped
  failed,     ///< it threw
  stopped,    ///< it left by a `Stopped` while an event that covers it was set: no failure
  skipped,    ///< it never ran
};
const char* to_string(TaskStatus status) noexcept;

/// How a wait ended. A call that knows fewer ways to end returns only those.
enum class [[nodiscard]] WaitOutcome{
    ready,      ///< what was waited for is there
    event_set,  ///< an event that covers the caller was set first
    timed_out,  ///< the time-out came first
    closed,     ///< what was waited for can never come any more
};
const char* to_string(WaitOutcome outcome) noexcept;

}  // namespace tg
