// SPDX-License-Identifier: Apache-2.0
// The outcomes of tasks and waits.
#pragma once

#include <cstdint>

#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

/// The state of a task. It ends in exactly one of the last four.
enum class TaskStatus : std::uint8_t {
  pending,    ///< it has not started
  running,    ///< its callable runs
  succeeded,  ///< it returned, even if an event that covers it was set
  failed,     ///< it threw
  stopped,    ///< it exited by a `Stopped` while an event that covers it was set; not a failure
  skipped,    ///< it never ran, because its group was stopped or it was dropped by `clear_pending`
};
/// The enumerator's name: "succeeded".
TG_EXPORT const char* to_string(TaskStatus status) noexcept;

/// How a wait ended. Each call documents which of these it returns.
enum class [[nodiscard]] WaitOutcome{
    ready,      ///< it was successful: the task has ended
    event_set,  ///< an event that covers the caller was set first
    timed_out,  ///< the time-out passed first
    closed,     ///< it can never be successful, as the other side was closed
};
/// The enumerator's name: "timed_out".
TG_EXPORT const char* to_string(WaitOutcome outcome) noexcept;

}  // namespace v0
}  // namespace tg
