// SPDX-License-Identifier: Apache-2.0
// The calls that a task makes to its own group, without a reference to it.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>

/// The calls that a task makes to its own group: the group of the task that the calling thread runs. Two of
/// them, `wait_for_condition` and `notify`, are in `<threadgroup/condition.hpp>`.
namespace tg::inline v0::thread_utils {

/// Sleeps until the time is up or the event is set. Returns true if it slept the whole time, and false if the
/// event is set, even if it was set before the call. Outside a task it is a plain sleep and returns true. A
/// zero or negative duration only asks for the event, without a look at the clock.
TG_EXPORT bool event_aware_sleep(Duration d);

/// True if the group was stopped. Outside a task always false.
TG_EXPORT bool event_is_set() noexcept;

/// Throws `Stopped` if the group was stopped. This ends the task from any depth of calls as `stopped`, not as
/// failed. Outside a task it does nothing.
TG_EXPORT void throw_if_event_set();

/// The group's stop token, for code that takes one. Outside a task, a token that is never stopped.
TG_EXPORT std::stop_token stop_token();

/// Stops the caller's group and all groups below it. True if this call set the event. Throws `NoGroupError`
/// outside a task.
TG_EXPORT bool set_event(std::string message = {}, SourceLocation where = SourceLocation::current());

/// Why the group was stopped, if it was.
TG_EXPORT std::optional<Reason> reason();

/// Stops every group of the process.
TG_EXPORT void set_all_events(std::string message = {}, SourceLocation where = SourceLocation::current());

/// The path of the caller's group: "MainThread/ThreadGroup2/ThreadGroup2.1". Outside a task, the name of the
/// thread's root: "MainThread".
TG_EXPORT std::string current_path();

}  // namespace tg::inline v0::thread_utils
