// SPDX-License-Identifier: Apache-2.0
// The Python type of an executor's futures.
#pragma once

#include <threadgroup/task_handle.hpp>

#include "convert.hpp"

namespace tg::python {

/// Makes a pending future (`threadgroup_core._future.Future`); null with an error set.
PyObject* new_future() noexcept;
/// Names the task whose call sets the future, so that waiting for the one is waiting for the other.
void set_task(PyObject* future, TaskHandle<void> task) noexcept;

// What the worker does with a future. An error is set where they say so; user code may run in each of them.

enum class FutureBegin { run, cancelled, error };
FutureBegin begin_future(PyObject* future);
/// The call has ended. False with an error set.
bool set_future_result(PyObject* future, PyObject* result);
bool set_future_exception(PyObject* future, PyObject* exception);
/// The call will never be made: cancels the future. False with an error set.
bool drop_future(PyObject* future);

bool init_future(PyObject* module);

}  // namespace tg::python
