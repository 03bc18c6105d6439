// SPDX-License-Identifier: Apache-2.0
// Parsing what several functions and methods take.
#include "arguments.hpp"

namespace tg::python {

bool parse_message(PyObject* args, PyObject* named, const char* format, std::string& message) {
  static const char* const names[] = {"message", nullptr};
  PyObject* text = nullptr;
  if (!parse(args, named, format, names, &text)) return false;
  if (text != nullptr) message = to_text(text);
  return true;
}

bool parse_timeout(PyObject* const* args, Py_ssize_t count, PyObject* names, const char* method,
                   PyObject*& timeout) {
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  for (Py_ssize_t i = 0; i < named; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(names, i);
    if (PyUnicode_CompareWithASCIIString(name, "timeout") == 0) continue;
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", method, name);
    return false;
  }
  if (count + named > 1) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument (%zd given)", method, count + named);
    return false;
  }
  timeout = count + named == 1 ? args[0] : nullptr;
  return true;
}

}  // namespace tg::python
