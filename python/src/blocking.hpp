// SPDX-License-Identifier: Apache-2.0
// What the replacements of the standard library's blocking calls (`threadgroup_core.blocking`) are made of.
#pragma once

#include <Python.h>

namespace tg::python {

/// The descriptor of the caller's stop. -1 with an OSError set if the process can have no more descriptors.
int stop_descriptor();

/// Adds `_is_covered`, `_raise_if_stopped`, `_may_wait`, `_poll`, `_read_now` and `_sleep`.
bool init_blocking(PyObject* module);

}  // namespace tg::python
