// SPDX-License-Identifier: Apache-2.0
// The calls that a task makes to its own group or scope, without a reference to it.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>

/// The calls that a task makes to its own group: the group of the task that the calling thread runs, or to
/// which the thread is attached (`Attached`). Two of them, `wait_for_condition` and `notify`, are in
/// `<threadgroup/condition.hpp>`.
///
/// "Stopped" means: the event of the innermost scope (`StopScope`, `Shield`) of the caller is set; without a
/// scope, that of its group. Code outside of tasks can be stopped only in a scope, or while it is attached.
namespace tg::inline v0::thread_utils {

/// Sleeps until the time is up or the caller is stopped. Returns true if it slept the whole time, and false if
/// the caller was stopped, even if that was before the call. A zero or negative duration only asks for the
/// event, without a look at the clock.
TG_EXPORT bool event_aware_sleep(Duration d);

/// True if the caller was stopped.
TG_EXPORT bool event_is_set() noexcept;

/// Throws `Stopped` if the caller was stopped. In a task that was stopped this ends the task, from any depth of
/// calls, as `stopped` and not as failed. If only a scope was stopped, catch the exception inside that scope.
TG_EXPORT void throw_if_event_set();

/// A token whose stop is requested when the caller is stopped, for code that takes one. Outside of tasks, scopes
/// and attached threads, a token that is never stopped.
TG_EXPORT std::stop_token stop_token();

/// Stops the caller's group and all groups below it, even from inside a scope. True if this call set the event.
/// Throws `NoGroupError` if the caller is neither a task nor attached.
TG_EXPORT bool set_event(std::string message = {}, SourceLocation where = SourceLocation::current());

/// True if the caller's group is being shut down and takes no task from outside any more: see
/// `ThreadGroup::shut_down`. A loop that accepts work ends then. False where there is no group.
TG_EXPORT bool is_draining() noexcept;

/// Why the caller was stopped, if it was.
TG_EXPORT std::optional<Reason> reason();

/// Says how far the calling task is, as in `note("page 7")`, until the next note or the end of the task: for snapshots, `dump` and reports
/// of tasks that still run. An empty text removes the note. Outside of tasks it does nothing.
TG_EXPORT void note(std::string text);

/// Stops every group and scope of the process.
TG_EXPORT void set_all_events(std::string message = {}, SourceLocation where = SourceLocation::current());

/// The path of the caller's innermost scope, or else of its group: "MainThread/ThreadGroup2/ThreadGroup2.1".
/// Without either, the name of the thread's root: "MainThread".
TG_EXPORT std::string current_path();

}  // namespace tg::inline v0::thread_utils
