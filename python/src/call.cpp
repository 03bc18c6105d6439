// SPDX-License-Identifier: Apache-2.0
// Making, running and dropping Python calls.
#include <cstring>
#include <new>

#include "call.hpp"
#include "future.hpp"

namespace tg::python {

namespace {
Ref raised() {
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
}  // namespace

// --- What was raised
// -----------------------------------------------------------------------------------------------

PythonError PythonError::fetch() { return PythonError(raised()); }

const char* PythonError::what() const noexcept {
  GilIfOpen gil;
  if (!gil) return "a Python exception";
  Shared& shared = *shared_;
  if (!shared.described) {
    shared.described = true;
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);  // we may be asked while another one is on its way
    try {
      shared.text = Py_TYPE(shared.exception.get())->tp_name;
      const Ref text = Ref::steal(calling_python([&] { return PyObject_Str(shared.exception.get()); }));
      const char* const utf8 = text.get() != nullptr ? PyUnicode_AsUTF8(text.get()) : nullptr;
      if (utf8 != nullptr && *utf8 != '\0') shared.text += std::string(": ") + utf8;
    } catch (const std::bad_alloc&) {
      shared.text.clear();
    }
    PyErr_Clear();
    PyErr_Restore(type, value, trace);
  }
  return shared.text.c_str();
}

void PythonError::restore() const noexcept {
  PyObject* const value = exception();
  Py_INCREF(value);
#if PY_VERSION_HEX >= 0x030C0000
  PyErr_SetRaisedException(value);
#else
  PyObject* const type = reinterpret_cast<PyObject*>(Py_TYPE(value));
  Py_INCREF(type);
  PyErr_Restore(type, value, PyException_GetTraceback(value));
#endif
}

// --- The call
// ------------------------------------------------------------------------------------------------------

PyCall::PyCall(GroupState& group, PyObject* callable, PyObject* future, PyObject* const* stack,
               Py_ssize_t positional, PyObject* names)
    : positional_(positional), total_(positional + (names != nullptr ? PyTuple_GET_SIZE(names) : 0)) {
  if (total_ >= kInside) outside_ = new PyObject*[static_cast<std::size_t>(total_) + 1];
  context_ = PyContext_CopyCurrent();
  if (context_ == nullptr) {
    if (total_ >= kInside) delete[] outside_;
    throw PythonError::fetch();
  }
  PyObject** const to = places() + 1;
  for (Py_ssize_t i = 0; i < total_; ++i) {
    Py_INCREF(stack[i]);
    to[i] = stack[i];
  }
  Py_XINCREF(names);
  names_ = names;
  Py_XINCREF(future);
  future_ = future;
  Py_INCREF(callable);
  callable_ = callable;
  group.add_reference();
  group_ = &group;
}

PyCall::PyCall(PyCall&& other) noexcept {
  std::memcpy(static_cast<void*>(this), static_cast<const void*>(&other), sizeof *this);
  other.callable_ = nullptr;
}

PyCall::~PyCall() {
  if (callable_ == nullptr) return;
  if (GilIfOpen gil; gil) drop_references();
}

void PyCall::drop_references() noexcept {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  if (future_ != nullptr && !begun_) {
    // It will never run: those who wait for the future are told.
    if (!calling_python([this] { return drop_future(future_); })) PyErr_WriteUnraisable(future_);
  }
  calling_python([this] {
    PyObject** const from = places() + 1;
    for (Py_ssize_t i = 0; i < total_; ++i) Py_DECREF(from[i]);
    Py_DECREF(callable_);
    Py_DECREF(context_);
    Py_XDECREF(names_);
    Py_XDECREF(future_);
  });
  if (total_ >= kInside) delete[] outside_;
  group_->release();
  callable_ = nullptr;
  PyErr_Restore(type, value, trace);
}

Ref PyCall::call() noexcept {
  return Ref::steal(calling_python([this]() -> PyObject* {
    if (PyContext_Enter(context_) != 0) return nullptr;
    PyObject* result =
        PyObject_Vectorcall(callable_, places() + 1,
                            static_cast<std::size_t>(positional_) | PY_VECTORCALL_ARGUMENTS_OFFSET, names_);
    if (PyContext_Exit(context_) != 0) Py_CLEAR(result);
    return result;
  }));
}

Ref PyCall::operator()() {
  const WorkerTurn turn(*group_);
  if (!turn) throw std::runtime_error("the Python interpreter has ended");
  if (future_ == nullptr) {
    begun_ = true;
    Ref result = call();
    if (result.get() == nullptr) throw PythonError::fetch();
    return result;
  }
  if (!call_for_future()) throw PythonError::fetch();
  return Ref::borrow(Py_None);
}

// False with an error set if the future itself did not work.
bool PyCall::call_for_future() {
  begun_ = true;
  switch (calling_python([this] { return begin_future(future_); })) {
    case FutureBegin::error:
      return false;
    case FutureBegin::cancelled:
      return true;
    case FutureBegin::run:
      break;
  }
  const Ref result = call();
  if (result.get() != nullptr) {
    return calling_python([&] { return set_future_result(future_, result.get()); });
  }
  const Ref exception = raised();
  return calling_python([&] { return set_future_exception(future_, exception.get()); });
}

}  // namespace tg::python
