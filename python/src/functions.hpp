// SPDX-License-Identifier: Apache-2.0
// The functions of the extension module: what tasks ask of their own group, the forest, and the end of it
// all.
#pragma once

#include "convert.hpp"

namespace tg::python {

bool init_functions(PyObject* module);

}  // namespace tg::python
