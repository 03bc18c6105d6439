// SPDX-License-Identifier: Apache-2.0
// The Python type of a group.
#pragma once

#include <threadgroup/thread_group.hpp>

#include "convert.hpp"
#include "group_state.hpp"

namespace tg::python {

/// A C++ group, and what its tasks and workers share on the Python side.
struct GroupObject {
  PyObject_HEAD PyObject* dictionary;
  PyObject* weak_references;
  ThreadGroup* group;    // owned; null before `__init__`
  GroupState* state;     // one reference; null before `__init__`
  bool is_left_to_exit;  // Ctrl-C ended the wait for its tasks: the end of the process takes care of them
};

/// Throws if `__init__` has not been called. Requires that `self` is a group.
GroupObject& group_object(PyObject* self);
/// False with an error set if it is no group.
bool check_group(PyObject* object) noexcept;
inline ThreadGroup& core_of_group(PyObject* self) { return *group_object(self).group; }

bool init_group(PyObject* module);

}  // namespace tg::python
