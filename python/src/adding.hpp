// SPDX-License-Identifier: Apache-2.0
// The methods of a group that add tasks.
#pragma once

#include "convert.hpp"

namespace tg::python {

/// As many as there are, and then one that is all null.
extern PyMethodDef adding_methods[];
constexpr std::size_t kAddingMethods = 6;

}  // namespace tg::python
