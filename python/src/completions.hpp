// SPDX-License-Identifier: Apache-2.0
// The Python type behind `as_completed`.
#pragma once

#include "convert.hpp"

namespace tg::python {

/// Adds `_Completions`: `watch(handle)` has a handle line up when its task has ended, `take(timeout)` waits
/// for the next one.
bool init_completions(PyObject* module);

}  // namespace tg::python
