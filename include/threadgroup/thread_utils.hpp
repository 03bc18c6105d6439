// SPDX-License-Identifier: Apache-2.0
// What a task asks of its own group, without having to know it.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>

/// The group in question is that of the task that the calling thread runs. The functions that need the
/// group's own machinery, `wait_for_condition` and `notify`, are in <threadgroup/condition.hpp>.
namespace tg::thread_utils {

/// Sleeps until the time is up or the event is set. True: slept in full. False: the event is set, perhaps
/// before the call. On the main thread and on threads of others it is a plain sleep, and true.
bool event_aware_sleep(Duration d);

/// Whether the group was stopped. False where there is no group.
bool event_is_set() noexcept;

/// Throws `Stopped` if the group was stopped, which ends the task from any depth of calls as `stopped`, not
/// as failed. Does nothing where there is no group.
void throw_if_event_set();

/// A token of the group, for code that takes one. Where there is no group it is never stopped.
std::stop_token stop_token();

/// Tells the siblings, and everything below the group, to stop. True if this call set the event. Throws
/// `NoGroupError` where there is no group.
bool set_event(std::string message = {}, SourceLocation where = SourceLocation::current());

/// Why the group was stopped, if it was.
std::optional<Reason> reason();

/// Tells every group of the process to stop.
void set_all_events(std::string message = {}, SourceLocation where = SourceLocation::current());

/// The path of the caller's group: "MainThread/ThreadGroup2/ThreadGroup2.1"; outside a task the root of the
/// thread: "MainThread".
std::string current_path();

}  // namespace tg::thread_utils
