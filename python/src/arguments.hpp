// SPDX-License-Identifier: Apache-2.0
// What the functions and methods that Python code calls have in common.
#pragma once

#include <string>

#include "convert.hpp"

namespace tg::python {

/// For a function that Python calls: a C++ exception becomes a Python one.
template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_error_from_current();
    return nullptr;
  }
}

/// A new reference to None, where `Py_RETURN_NONE` would not do.
inline PyObject* none() noexcept {
  Py_INCREF(Py_None);
  return Py_None;
}

/// Parses as `PyArg_ParseTupleAndKeywords` does, with its error messages. `names` ends with null.
template <class... Places>
bool parse(PyObject* args, PyObject* named, const char* format, const char* const* names, Places*... places) {
  return PyArg_ParseTupleAndKeywords(args, named, format, const_cast<char**>(names), places...) != 0;
}

/// Parses the one argument `message`, which may be left out. `format` is as for `parse`.
bool parse_message(PyObject* args, PyObject* named, const char* format, std::string& message);

/// Parses the one argument `timeout` of a method that is called by `FastFunction`; null if it was left out.
bool parse_timeout(PyObject* const* args, Py_ssize_t count, PyObject* names, const char* method,
                   PyObject*& timeout);

using FastFunction = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
using PositionalFunction = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);
using NamedFunction = PyObject* (*)(PyObject*, PyObject*, PyObject*);
inline PyCFunction as_method(FastFunction f) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}
inline PyCFunction as_method(PositionalFunction f) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}
inline PyCFunction as_method(NamedFunction f) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}
constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;
constexpr int kNamed = METH_VARARGS | METH_KEYWORDS;

}  // namespace tg::python
