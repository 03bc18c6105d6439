// SPDX-License-Identifier: Apache-2.0
// The Python type of a group.
#pragma once

#include "convert.hpp"

namespace tg::python {

void init_group(py::module_& module);

}  // namespace tg::python
