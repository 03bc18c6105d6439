// SPDX-License-Identifier: Apache-2.0
// Waiting until a condition is true, and then stopping the group.
#pragma once

#include <functional>

#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {

/// Says whether what is waited for has come true. It runs on the waiting thread, with no lock held; it may
/// take locks of its own, and wait.
using Predicate = FunctionRef<bool()>;

struct ConditionOptions {
  Duration interval = std::chrono::milliseconds(100);  ///< the longest time between two looks; above zero
  bool stop_when_idle = true;  ///< give up when no task is left that could make it true
};

enum class WaitStatus {
  condition_met,  ///< it is true, and the group was stopped
  event_set,      ///< another call stopped the group, or the caller's own
  timed_out,      ///< the time is up; the group goes on
  group_idle,     ///< nothing pending or running is left that could make it true
};
const char* to_string(WaitStatus status) noexcept;

namespace detail {
class GroupCore;
WaitStatus wait_for_condition(GroupCore& core, Predicate predicate, Duration timeout,
                              const ConditionOptions& options, SourceLocation where);
}  // namespace detail

namespace thread_utils {

/// `ThreadGroup::wait_for_condition` on the calling task's own group. The task's place may be used by the
/// others meanwhile. Throws `NoGroupError` where there is no group, and what the predicate throws.
WaitStatus wait_for_condition(Predicate predicate, Duration timeout, const ConditionOptions& options = {},
                              SourceLocation where = SourceLocation::current());

/// Has those who wait for a condition on the calling task's group look again. Throws `NoGroupError` where
/// there is no group.
void notify();

}  // namespace thread_utils
}  // namespace tg
