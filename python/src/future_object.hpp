// SPDX-License-Identifier: Apache-2.0
// A `concurrent.futures.Future` without a lock and a condition of its own, until they are asked for: what it
// consists of.
//
// `threadgroup_core._future.Future` inherits this type first and `concurrent.futures.Future` second. The
// attributes that the standard library's functions use (`_condition`, `_state`, `_waiters` and so on) are
// descriptors here. `wait`, `as_completed` and other code that takes the condition get a real one, made at
// that moment.
//
// Invariants
//   U1. Everything but `woken` is guarded by the interpreter's lock: what looks at the state and then changes
//       it runs no Python code in between.
//   U2. From the moment when the future has a condition, its state changes only under that: the methods of
//       the standard library do it then. Code that holds the condition relies on it.
//   U3. What makes the state final sets `woken`, if it exists, afterwards; a waiter makes `woken` first
//       and looks at the state afterwards. So no wait for the task outlasts the future, whether the call has
//       ended, was cancelled, or another thread has set the result.
#pragma once

#include <cstdint>

#include <threadgroup/task_handle.hpp>

#include "convert.hpp"

namespace tg::python {

enum class FutureState : std::uint8_t { pending, running, cancelled, notified, finished };

/// All of it is null or zero at first, but for the task.
struct FutureObject {
  PyObject_HEAD PyObject* result;
  PyObject* exception;
  PyObject* condition;  // these three are null until they are asked for
  PyObject* waiters;
  PyObject* callbacks;
  TaskHandle<void> task;  // not valid in a future that other code made
  detail::Event* woken;   // null until there is a wait for the task
  FutureState state;

  bool is_final() const noexcept { return state >= FutureState::cancelled; }
  bool is_cancelled() const noexcept {
    return state == FutureState::cancelled || state == FutureState::notified;
  }
};

inline FutureObject& of(PyObject* self) noexcept { return *reinterpret_cast<FutureObject*>(self); }

inline PyObject* new_reference(PyObject* object) noexcept {
  Py_INCREF(object);
  return object;
}

/// The list in that place of a future, made if there is none yet; null with an error set. To make one may run
/// the garbage collector, and so anything: what the caller knew before may have changed.
PyObject* list_in(PyObject*& place) noexcept;

/// Sets the state, one of the last three, and ends the waits for the task.
void make_final(FutureObject& future, FutureState state) noexcept;

/// What the standard library's own code reads and writes.
extern PyGetSetDef future_attributes[];

/// Makes a pending future of that type; null with an error set.
PyObject* allocate_future(PyTypeObject* type) noexcept;

// Functions of the type.

PyObject* future_new(PyTypeObject* type, PyObject* args, PyObject* names);
int future_init(PyObject* self, PyObject* args, PyObject* names);
int future_traverse(PyObject* self, visitproc visit, void* arg);
int future_clear(PyObject* self);
void future_dealloc(PyObject* self);

/// Takes what this file needs of `concurrent.futures._base` and `threading`. Throws.
void load_future_object(const py::object& futures);

}  // namespace tg::python
