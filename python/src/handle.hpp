// SPDX-License-Identifier: Apache-2.0
// The Python type of a task's handle.
#pragma once

#include "convert.hpp"

namespace tg::python {

/// Makes the Python object for a handle; null with an error set.
PyObject* new_handle(TaskHandle<Ref> handle) noexcept;
bool init_handle(PyObject* module);

}  // namespace tg::python
