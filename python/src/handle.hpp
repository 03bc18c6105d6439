// SPDX-License-Identifier: Apache-2.0
// The Python type of a task's handle.
#pragma once

#include <threadgroup/task_handle.hpp>

#include "convert.hpp"

namespace tg::python {

/// Makes a handle whose task is still to be added; null with an error set.
PyObject* new_handle(GroupState& group) noexcept;
/// The task was added.
void bind_handle(PyObject* handle, TaskHandle<void> task) noexcept;
/// Called in the task, as it ends: what it returned or raised. Requires the interpreter's lock.
void set_outcome(PyObject* handle, Ref outcome) noexcept;

/// A handle's task, or null with a `TypeError` set if the object is no handle.
const TaskHandle<void>* task_of_handle(PyObject* object) noexcept;
bool init_handle(PyObject* module);

}  // namespace tg::python
