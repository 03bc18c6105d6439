// SPDX-License-Identifier: Apache-2.0
// The Python types StopScope and Shield.
#pragma once

#include <Python.h>

namespace tg::python {

/// For a Python task: closes the scopes that the task has entered and not left, as a generator does that was dropped in
/// the middle of a `with` block. C++ ends the process for that.
///
/// Requires the interpreter's lock.
class ScopesOfTask {
 public:
  ScopesOfTask() noexcept;
  ~ScopesOfTask();
  ScopesOfTask(const ScopesOfTask&) = delete;
  ScopesOfTask& operator=(const ScopesOfTask&) = delete;

 private:
  PyObject* const before_;
};

bool init_scope(PyObject* module);

}  // namespace tg::python
