// SPDX-License-Identifier: Apache-2.0
// The Python types of the primitives that hold no Python objects: Mutex, Semaphore, RateLimiter, every.
#pragma once

#include <Python.h>

namespace tg::python {

bool init_primitives(PyObject* module);

}  // namespace tg::python
