// SPDX-License-Identifier: Apache-2.0
// The arguments of `acquire` of a lock.
#pragma once

#include <Python.h>

#include <threadgroup/duration.hpp>

namespace tg::python {

struct HowLong {
  bool blocking = true;
  Duration timeout = Duration::max();
};

/// Parses them. False with the error set that `threading` raises.
bool parse_how_long(PyObject* const* args, Py_ssize_t count, PyObject* names, HowLong& how);

}  // namespace tg::python
