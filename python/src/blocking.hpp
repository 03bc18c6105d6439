// SPDX-License-Identifier: Apache-2.0
// What the replacements of the standard library's blocking calls (`threadgroup_core.blocking`) are made of.
#pragma once

#include <Python.h>

namespace tg::python {

/// Adds `_is_covered`, `_raise_if_stopped`, `_may_wait` and `_poll`.
bool init_blocking(PyObject* module);

}  // namespace tg::python
