// SPDX-License-Identifier: Apache-2.0
// Shutting down from Python: a group, the forest, and on signals.
#pragma once

#include <Python.h>

namespace tg::python {

/// The method `shut_down` of a group.
PyObject* group_shut_down(PyObject* self, PyObject* args, PyObject* named);

bool init_shutdown(PyObject* module);

}  // namespace tg::python
