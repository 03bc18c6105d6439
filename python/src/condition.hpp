// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition that Python code looks at.
#pragma once

#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/source_location.hpp>

#include "convert.hpp"

namespace tg::python {

/// How the C++ side waits, for a group or for the caller's own.
using ConditionWait = FunctionRef<WaitStatus(Predicate, Duration, const ConditionOptions&)>;

/// The arguments of both functions of that name.
struct ConditionArguments {
  /// False with an error set if they are not such.
  bool parse_from(PyObject* args, PyObject* named);

  PyObject* predicate = nullptr;
  Duration timeout;
  Duration interval;
  bool stop_when_idle = true;
  SourceLocation where;
};

/// Waits with the interpreter's lock given away, taking it for each look. `changes` counts what may make the
/// condition true, and is asked under the lock. Throws what the predicate raises. On the main thread Ctrl-C
/// ends it.
WaitStatus wait_for_condition(const ConditionArguments& given, FunctionRef<std::uint64_t()> changes,
                              ConditionWait wait);

}  // namespace tg::python
