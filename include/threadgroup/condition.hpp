// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition, and stopping the group once it is true.
#pragma once

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {
inline namespace v0 {

/// Returns true once the condition is met. It runs on the waiting thread with no lock held, so it may take
/// locks and block.
using Predicate = FunctionRef<bool()>;

/// Options of `wait_for_condition`.
struct ConditionOptions {
  /// The longest time between two calls of the predicate. Must be above zero.
  Duration interval = std::chrono::milliseconds(100);
  /// End the wait when the group has no pending or running task that could make the condition true.
  bool stop_when_idle = true;
};

/// How a `wait_for_condition` ended.
enum class WaitStatus {
  condition_met,  ///< the condition is true, and the group was stopped
  event_set,      ///< the event of the group, or of the caller's scope or group, was set first
  timed_out,      ///< the time is up; the group continues
  group_idle,     ///< the group has no pending or running task that could make the condition true
};
/// The enumerator's name: "condition_met".
TG_EXPORT const char* to_string(WaitStatus status) noexcept;

namespace detail {
class GroupCore;
TG_EXPORT WaitStatus wait_for_condition(GroupCore& core, Predicate predicate, Duration timeout,
                                        const ConditionOptions& options, SourceLocation where);
}  // namespace detail

namespace thread_utils {

/// Calls `ThreadGroup::wait_for_condition` on the calling task's own group. The task lends its slot to the
/// group's other tasks while it waits. Throws `NoGroupError` if the caller is neither a task nor attached, and
/// what the predicate throws.
TG_EXPORT WaitStatus wait_for_condition(Predicate predicate, Duration timeout,
                                        const ConditionOptions& options = {},
                                        SourceLocation where = SourceLocation::current());

/// Makes every `wait_for_condition` on the calling task's group call its predicate again. Throws
/// `NoGroupError` if the caller is neither a task nor attached.
TG_EXPORT void notify();

}  // namespace thread_utils
}  // namespace v0
}  // namespace tg
