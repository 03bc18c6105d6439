// SPDX-License-Identifier: Apache-2.0
// The Python type of a task's handle: written against the C interface, for one is made for each task.
#include <new>

#include "handle.hpp"

#if PY_VERSION_HEX >= 0x030C0000
#define TG_PY_SIZE_MEMBER Py_T_PYSSIZET
#define TG_PY_READONLY Py_READONLY
#else
#include <structmember.h>
#define TG_PY_SIZE_MEMBER T_PYSSIZET
#define TG_PY_READONLY READONLY
#endif

namespace tg::python {

namespace {

struct HandleObject {
  PyObject_HEAD TaskHandle<Ref> handle;
  PyObject* weak_references;
};

PyTypeObject* handle_type = nullptr;

const TaskHandle<Ref>& handle_of(PyObject* self) { return reinterpret_cast<HandleObject*>(self)->handle; }

// For the methods below: a C++ exception becomes a Python one.
template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_error_from_current();
    return nullptr;
  }
}

bool parse_timeout(PyObject* const* args, Py_ssize_t count, PyObject* names, const char* method,
                   Duration& timeout) {
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  if (count + named > 1 ||
      (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "timeout") != 0)) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most one argument, the timeout", method);
    return false;
  }
  timeout = to_duration(count + named == 1 ? args[0] : nullptr);
  return true;
}

bool wait(const TaskHandle<Ref>& handle, Duration timeout) {
  return handle.done() || wait_interruptibly(timeout, [&](Duration slice) { return handle.wait(slice); });
}

PyObject* handle_wait(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    Duration timeout;
    if (!parse_timeout(args, count, names, "wait", timeout)) return nullptr;
    return PyBool_FromLong(wait(handle_of(self), timeout));
  });
}

PyObject* handle_get(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    Duration timeout;
    if (!parse_timeout(args, count, names, "get", timeout)) return nullptr;
    const TaskHandle<Ref>& handle = handle_of(self);
    if (!wait(handle, timeout) && !thread_utils::event_is_set()) {
      PyErr_Format(PyExc_TimeoutError, "task '%s' is not done", handle.name().c_str());
      return nullptr;
    }
    // Does not block: the task is done, or the caller's event is set, which it reports.
    PyObject* const result = handle.view().get();
    Py_INCREF(result);
    return result;
  });
}

PyObject* handle_done(PyObject* self, PyObject*) { return PyBool_FromLong(handle_of(self).done()); }

PyObject* handle_exception(PyObject* self, PyObject*) {
  return guarded([&] { return to_python(handle_of(self).exception()).release().ptr(); });
}
PyObject* handle_status(PyObject* self, void*) {
  return guarded([&] { return to_python(handle_of(self).status()).release().ptr(); });
}
PyObject* handle_name(PyObject* self, void*) {
  return guarded([&] { return py::str(handle_of(self).name()).release().ptr(); });
}
PyObject* handle_reason(PyObject* self, void*) {
  return guarded([&] { return to_python(handle_of(self).reason()).release().ptr(); });
}
PyObject* handle_repr(PyObject* self) {
  return guarded([&] {
    const TaskHandle<Ref>& handle = handle_of(self);
    return py::str("<TaskHandle '" + handle.name() + "' " + to_string(handle.status()) + ">").release().ptr();
  });
}

PyObject* handle_class_getitem(PyObject* type, PyObject*) {  // TaskHandle[int], for annotations
  Py_INCREF(type);
  return type;
}

void handle_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  auto* const object = reinterpret_cast<HandleObject*>(self);
  if (object->weak_references != nullptr) PyObject_ClearWeakRefs(self);
  object->handle.~TaskHandle<Ref>();
  PyObject_Free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"wait", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&handle_wait)),
     METH_FASTCALL | METH_KEYWORDS,
     "wait(timeout=None) -> bool\n\nTrue once the task has ended, in whichever way. False after the timeout, "
     "or if the "
     "caller's own group was told to stop first."},
    {"get", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&handle_get)),
     METH_FASTCALL | METH_KEYWORDS,
     "get(timeout=None)\n\nWaits, and returns what the task returned or raises what it raised. TaskSkipped "
     "if it never "
     "ran, WaitInterrupted if the caller's own group was told to stop first, TimeoutError after the "
     "timeout."},
    {"done", &handle_done, METH_NOARGS, "done() -> bool\n\nWhether the task has ended, in whichever way."},
    {"exception", &handle_exception, METH_NOARGS,
     "exception() -> BaseException | None\n\nWhat the task raised, if it has failed. Asking does not count "
     "as having "
     "seen it; get() does."},
    {"__class_getitem__", &handle_class_getitem, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"status", &handle_status, nullptr, "How far the task is: a TaskStatus.", nullptr},
    {"name", &handle_name, nullptr, "The name given to the task, or 'task 17'.", nullptr},
    {"reason", &handle_reason, nullptr, "Why it was skipped, if it was.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {{"__weaklistoffset__", TG_PY_SIZE_MEMBER, offsetof(HandleObject, weak_references),
                          TG_PY_READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>("Looks at one task of a group, waits for it, and has its result.\n\nIt outlives the "
                       "group. A wait lends the caller's place to other tasks of its group.")},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_members, members},
    {Py_tp_repr, reinterpret_cast<void*>(&handle_repr)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&handle_dealloc)},
    {0, nullptr}};
PyType_Spec spec = {"threadgroup_core.TaskHandle", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject* new_handle(TaskHandle<Ref> handle) noexcept {
  auto* const object = PyObject_New(HandleObject, handle_type);
  if (object == nullptr) return nullptr;
  ::new (static_cast<void*>(&object->handle)) TaskHandle<Ref>(std::move(handle));
  object->weak_references = nullptr;
  return reinterpret_cast<PyObject*>(object);
}

bool init_handle(PyObject* module) {
  handle_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return handle_type != nullptr &&
         PyModule_AddObjectRef(module, "TaskHandle", reinterpret_cast<PyObject*>(handle_type)) == 0;
}

}  // namespace tg::python
