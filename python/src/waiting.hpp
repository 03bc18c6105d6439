// SPDX-License-Identifier: Apache-2.0
// The waits of primitives: they give the interpreter's lock away, and Ctrl-C ends them in the main thread.
#pragma once

#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/mutex.hpp>
#include <threadgroup/outcomes.hpp>

#include "convert.hpp"

namespace tg::python {

/// What ends a wait, besides what it waits for, its time-out, and a signal handler that raises.
enum class EndedBy { stops, nothing_else };

/// What a signal handler that raises does, besides ending the wait. The calls of the standard library only raise.
enum class OnInterrupt { stops_groups, only_raises };

/// Calls `wait` without the interpreter's lock, and returns what it returns: whether it got what it waited for.
///
/// On the main thread Python's signal handlers run meanwhile, and the wait keeps its place among those who wait for
/// the same. If a handler raises, that ends the wait by an event of the caller, also with `nothing_else`, and is
/// thrown; `undo` is called before if the wait got what it waited for in the same moment.
bool wait_without_gil(EndedBy ended_by, FunctionRef<bool()> wait, FunctionRef<void()> undo,
                      OnInterrupt on_interrupt = OnInterrupt::stops_groups);

/// The same on any thread, with `nothing_else` and `only_raises`; at intervals `goes_on` is called with the interpreter's
/// lock, and once it is false, the wait ends as if by an event.
bool wait_with_looks(Duration interval, FunctionRef<bool()> goes_on, FunctionRef<bool()> wait,
                     FunctionRef<void()> undo);

/// Sleeps without the interpreter's lock; true after the whole time, false once the caller is stopped. On the main
/// thread a signal handler that raises ends the sleep.
bool sleep_until_stopped(Duration whole, OnInterrupt on_interrupt = OnInterrupt::stops_groups);

/// Takes the lock, whether the caller is stopped or not. On the main thread a signal handler that raises ends the wait.
void lock_without_gil(Mutex& mutex, OnInterrupt on_interrupt = OnInterrupt::stops_groups);

/// As `wait_without_gil`, for a wait that returns an outcome: the outcome as a `threadgroup_core.WaitOutcome`, a new reference.
PyObject* wait_for_outcome(EndedBy ended_by, FunctionRef<WaitOutcome()> wait, FunctionRef<void()> undo);

PyObject* to_object(WaitOutcome outcome);

/// For a call that cannot return an outcome: raises `WaitInterrupted`. Requires that the caller is stopped.
PyObject* raise_interrupted(const char* waited_for);

}  // namespace tg::python
