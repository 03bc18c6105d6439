// SPDX-License-Identifier: Apache-2.0
// What is below `threadgroup_core.select`.
#pragma once

#include <Python.h>

namespace tg::python {

bool init_select(PyObject* module);

}  // namespace tg::python
