// SPDX-License-Identifier: Apache-2.0
// A C++ extension that knows nothing of Python's groups: it makes a group of its own, whose task sleeps until
// told.
#include <Python.h>

#include <chrono>
#include <latch>
#include <string>

#include <threadgroup/threadgroup.hpp>

namespace {

PyObject* sleep_in_cpp(PyObject*, PyObject* begun) {
  std::string path;
  bool slept = true;
  std::string reason;
  std::latch running(1);
  tg::ThreadGroup group("made in C++");
  auto handle = group.add_task([&running] {
    running.count_down();
    return tg::thread_utils::event_aware_sleep(std::chrono::hours(1));
  });
  path = group.path();
  Py_BEGIN_ALLOW_THREADS running.wait();
  Py_END_ALLOW_THREADS PyObject* const told = PyObject_CallOneArg(begun, Py_None);
  if (told == nullptr) return nullptr;
  Py_DECREF(told);
  Py_BEGIN_ALLOW_THREADS group.wait_idle();
  slept = handle.get();
  if (const auto why = group.reason()) reason = why->origin_path;
  Py_END_ALLOW_THREADS return Py_BuildValue("(sOs)", path.c_str(), slept ? Py_True : Py_False,
                                            reason.c_str());
}

PyObject* set_event_in_cpp(PyObject*, PyObject*) {
  return PyBool_FromLong(tg::thread_utils::set_event("from C++"));
}

PyMethodDef methods[] = {{"sleep_in_cpp", &sleep_in_cpp, METH_O, nullptr},
                         {"set_event_in_cpp", &set_event_in_cpp, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "cpp_side", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_cpp_side() { return PyModule_Create(&definition); }
