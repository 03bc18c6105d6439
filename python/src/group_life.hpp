// SPDX-License-Identifier: Apache-2.0
// The life of a group's object: the functions of its type that make, visit and destroy it.
//
// They are written against the C interface: the end of a group gives the interpreter's lock away, so the
// object has to be out of the garbage collector's sight by then, which pybind11 (2.10) does not see to.
//
// Invariants
//   O1. `tp_finalize` stops the tasks and waits for them (but not for those of its caller), while the object
//       is whole and other threads may look at it. `tp_dealloc` untracks the object, and only then gives the
//       lock away.
//   O2. Tasks that are pending or running, and what they refer to, are not visited by the garbage collector:
//       a thread is going to use them, so a group is not garbage for being referred to only by its own tasks.
//   O3. `tp_finalize` also reports the failures that have not been delivered: what they refer to may be part
//       of the garbage, and is taken apart next.
#pragma once

#include "group.hpp"

namespace tg::python {

/// Also before `__init__`.
inline GroupObject& raw_object(PyObject* self) noexcept { return *reinterpret_cast<GroupObject*>(self); }

int group_init(PyObject* self, PyObject* args, PyObject* named);
int group_traverse(PyObject* self, visitproc visit, void* arg);
int group_clear(PyObject* self);
void group_finalize(PyObject* self);
void group_dealloc(PyObject* self);

}  // namespace tg::python
