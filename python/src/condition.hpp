// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition that Python code looks at.
#pragma once

#include "convert.hpp"

namespace tg::python {

/// How the C++ side waits, for a group or for the caller's own.
using ConditionWait = FunctionRef<WaitStatus(Predicate, Duration, const ConditionOptions&)>;

/// Waits with the interpreter's lock given away, taking it for each look. `changes` counts what may make the
/// condition true, and is asked under the lock. Throws what the predicate raises. On the main thread Ctrl-C
/// ends it.
WaitStatus wait_for_condition(const py::object& predicate, Duration timeout, Duration interval,
                              bool stop_when_idle, FunctionRef<std::uint64_t()> changes, ConditionWait wait);

}  // namespace tg::python
