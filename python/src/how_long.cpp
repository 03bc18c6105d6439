// SPDX-License-Identifier: Apache-2.0
#include "how_long.hpp"

#include "convert.hpp"

namespace tg::python {

bool parse_how_long(PyObject* const* args, Py_ssize_t count, PyObject* names, HowLong& how) {
  if (count == 0 && names == nullptr) return true;
  PyObject* given[2] = {nullptr, nullptr};
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  bool is_wrong = count + named > 2;
  for (Py_ssize_t i = 0; i < count && !is_wrong; ++i) given[i] = args[i];
  for (Py_ssize_t i = 0; i < named && !is_wrong; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(names, i);
    const int place = PyUnicode_CompareWithASCIIString(name, "blocking") == 0  ? 0
                      : PyUnicode_CompareWithASCIIString(name, "timeout") == 0 ? 1
                                                                               : -1;
    is_wrong = place < 0 || given[place] != nullptr;
    if (!is_wrong) given[place] = args[count + i];
  }
  if (is_wrong) {
    PyErr_SetString(PyExc_TypeError, "acquire(blocking=True, timeout=-1)");
    return false;
  }
  if (given[0] != nullptr) {
    const int is_true = PyObject_IsTrue(given[0]);
    if (is_true < 0) return false;
    how.blocking = is_true != 0;
  }
  if (given[1] == nullptr) return true;
  const double seconds = PyFloat_AsDouble(given[1]);
  if (seconds == -1.0) return PyErr_Occurred() == nullptr;
  if (!how.blocking) {
    PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
  } else if (!(seconds >= 0)) {
    PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
  } else if (seconds > 9223372036.0) {
    PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
  } else {
    how.timeout = to_duration(given[1]);
    return true;
  }
  return false;
}

}  // namespace tg::python
