// SPDX-License-Identifier: Apache-2.0
// Who owns an exception, from the moment in which a task raises it.
#include "python_error.hpp"

#include <new>

#include "group_state.hpp"
#include "runtime/flow.hpp"

namespace tg::python {

Ref take_raised() noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return Ref::steal(PyErr_GetRaisedException());
#else
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  if (trace != nullptr) PyException_SetTraceback(value, trace);
  Py_XDECREF(type);
  Py_XDECREF(trace);
  return Ref::steal(value);
#endif
}

void raise_again(PyObject* exception) noexcept {
  Py_INCREF(exception);
#if PY_VERSION_HEX >= 0x030C0000
  PyErr_SetRaisedException(exception);
#else
  PyObject* const type = reinterpret_cast<PyObject*>(Py_TYPE(exception));
  Py_INCREF(type);
  PyErr_Restore(type, exception, PyException_GetTraceback(exception));
#endif
}

bool rearm_interrupt() noexcept {
  // Elsewhere it comes from no signal, and the main thread has no part in it.
  if (!runtime::Flow::current().is_main() || PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) == 0)
    return false;
  PyErr_Clear();
  PyErr_SetInterrupt();
  return true;
}

void report_unraisable(PyObject* where) noexcept {
  if (!rearm_interrupt()) PyErr_WriteUnraisable(where);
}

const char* PythonError::what() const noexcept {
  GilIfOpen gil;
  if (!gil) return "a Python exception";
  Shared& shared = *shared_;
  if (!shared.is_described && shared.exception != nullptr) {
    shared.is_described = true;
    const ErrorsSaved saved;                              // we may be asked while another one is on its way
    const Ref exception = Ref::borrow(shared.exception);  // `str` may run anything, a delivery, too
    try {
      shared.text = Py_TYPE(exception.get())->tp_name;
      const Ref text = Ref::steal(calling_python([&] { return PyObject_Str(exception.get()); }));
      const char* const utf8 = text.get() != nullptr ? PyUnicode_AsUTF8(text.get()) : nullptr;
      if (utf8 != nullptr && *utf8 != '\0') shared.text += std::string(": ") + utf8;
    } catch (const std::bad_alloc&) {
      shared.text.clear();
    }
    if (PyErr_Occurred() != nullptr && !rearm_interrupt()) PyErr_Clear();
  }
  return shared.is_described ? shared.text.c_str() : "a Python exception";
}

void PythonError::restore() const noexcept {
  if (exception() != nullptr) return raise_again(exception());
  PyErr_SetString(PyExc_RuntimeError, "the exception was delivered before, and its group has gone");
}

void PythonError::ended_task_of(GroupState& group, bool may_be_reason) noexcept {
  Shared& shared = *shared_;
  shared.may_be_reason = may_be_reason;
  shared.keeper = &group.errors;
  shared.next = group.errors.first_;
  if (shared.next != nullptr) shared.next->previous = &shared;
  group.errors.first_ = &shared;
}

void PythonError::delivered() const noexcept {
  Shared& shared = *shared_;
  if (shared.keeper == nullptr || shared.is_delivered) return;
  shared.is_delivered = true;
  if (shared.may_be_reason) return;
  shared.leave_group();
  Py_CLEAR(shared.exception);
}

void PythonError::Shared::leave_group() noexcept {
  if (keeper == nullptr) return;
  (previous != nullptr ? previous->next : keeper->first_) = next;
  if (next != nullptr) next->previous = previous;
  keeper = nullptr;
  previous = next = nullptr;
}

PythonError::Shared::~Shared() {
  if (exception == nullptr) return;
  if (GilIfOpen gil; gil) {
    leave_group();
    Py_CLEAR(exception);
  }
}

KeptErrors::~KeptErrors() {
  // What is left belongs from here on to the holder of the C++ exception.
  while (first_ != nullptr) first_->leave_group();
}

int KeptErrors::traverse(visitproc visit, void* arg) const noexcept {
  for (const PythonError::Shared* shared = first_; shared != nullptr; shared = shared->next) {
    Py_VISIT(shared->exception);
  }
  return 0;
}

bool KeptErrors::has_undelivered() const noexcept {
  const PythonError::Shared* shared = first_;
  while (shared != nullptr && shared->is_delivered) shared = shared->next;
  return shared != nullptr;
}

void KeptErrors::drop_delivered() noexcept {
  for (PythonError::Shared* shared = first_; shared != nullptr;) {
    if (!shared->is_delivered) {
      shared = shared->next;
      continue;
    }
    shared->leave_group();
    Py_CLEAR(shared->exception);  // may run anything: begin again
    shared = first_;
  }
}

}  // namespace tg::python
