// SPDX-License-Identifier: Apache-2.0
// Python objects that own one C++ object.
#pragma once

#include <memory>
#include <utility>

#include "arguments.hpp"

namespace tg::python {

/// A Python object that owns a `T`, which its `tp_new` makes: so there is one at any time.
template <class T>
struct Boxed {
  PyObject_HEAD T* value;

  template <class... Args>
  static PyObject* make(PyTypeObject* type, Args&&... args) {
    auto value = std::make_unique<T>(std::forward<Args>(args)...);
    PyObject* const self = type->tp_alloc(type, 0);
    if (self != nullptr) reinterpret_cast<Boxed*>(self)->value = value.release();
    return self;
  }
  static T& of(PyObject* self) noexcept { return *reinterpret_cast<Boxed*>(self)->value; }
  static void destroy(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    if (PyType_IS_GC(type)) PyObject_GC_UnTrack(self);
    delete reinterpret_cast<Boxed*>(self)->value;
    type->tp_free(self);
    Py_DECREF(type);
  }
};

inline bool add_type(PyObject* module, const char* name, PyType_Spec& spec) {
  const Ref type = Ref::steal(PyType_FromSpec(&spec));
  return type.get() != nullptr && PyModule_AddObjectRef(module, name, type.get()) == 0;
}

}  // namespace tg::python
