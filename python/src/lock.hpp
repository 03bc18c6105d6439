// SPDX-License-Identifier: Apache-2.0
// The Python types Lock and RLock of `threadgroup_core.blocking`.
#pragma once

#include <Python.h>

namespace tg::python {

/// Adds `_Lock` and `_RLock`.
bool init_lock(PyObject* module);

}  // namespace tg::python
