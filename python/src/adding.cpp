// SPDX-License-Identifier: Apache-2.0
// Adding tasks: called once per task, so by hand.
#include "adding.hpp"

#include <threadgroup/source_location.hpp>

#include "arguments.hpp"
#include "call.hpp"
#include "future.hpp"
#include "group.hpp"
#include "handle.hpp"

namespace tg::python {

namespace {

template <class F>
PyObject* add_guarded(const char* method, Py_ssize_t count, Py_ssize_t least, F&& f) noexcept {
  if (count < least) {
    PyErr_Format(PyExc_TypeError, "%s() is called with %sa callable and its arguments", method,
                 least == 2 ? "a name, " : "");
    return nullptr;
  }
  if (!interpreter_is_open()) {
    PyErr_SetString(PyExc_RuntimeError, "cannot add a task: the interpreter is shutting down");
    return nullptr;
  }
  return guarded(f);
}

bool check_callable(PyObject* callable) {
  if (PyCallable_Check(callable) != 0) return true;
  PyErr_Format(PyExc_TypeError, "the task is not callable: %R", callable);
  return false;
}

// `add(call)` gives the call to the group.
template <class Add>
PyObject* add_with_handle(GroupObject& group, PyObject* callable, PyObject* const* stack, Py_ssize_t count,
                          PyObject* names, Add&& add) {
  Ref handle = Ref::steal(new_handle(*group.state));
  if (handle.get() == nullptr) return nullptr;
  bind_handle(handle.get(),
              add(PyCall(*group.state, callable, Teller::handle, handle.get(), stack, count, names)));
  return handle.release();
}

PyObject* group_add_task(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("add_task", count, 1, [&]() -> PyObject* {
    if (!check_callable(args[0])) return nullptr;
    GroupObject& group = group_object(self);
    return add_with_handle(group, args[0], args + 1, count - 1, names, [&](PyCall call) {
      return group.group->add_task(std::move(call), SourceLocation{});
    });
  });
}

PyObject* group_add_named_task(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("add_named_task", count, 2, [&]() -> PyObject* {
    if (PyUnicode_Check(args[0]) == 0) {
      PyErr_Format(PyExc_TypeError, "add_named_task() argument 1 must be str, not %.200s",
                   Py_TYPE(args[0])->tp_name);
      return nullptr;
    }
    if (!check_callable(args[1])) return nullptr;
    GroupObject& group = group_object(self);
    return add_with_handle(group, args[1], args + 2, count - 2, names, [&](PyCall call) {
      return group.group->add_task(TaskName(to_text(args[0]), SourceLocation{}), std::move(call));
    });
  });
}

PyObject* group_post(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("post", count, 1, [&]() -> PyObject* {
    if (!check_callable(args[0])) return nullptr;
    GroupObject& group = group_object(self);
    group.group->post(PyCall(*group.state, args[0], Teller::none, nullptr, args + 1, count - 1, names),
                      SourceLocation{});
    Py_RETURN_NONE;
  });
}

PyObject* group_submit(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("_submit", count, 1, [&]() -> PyObject* {
    GroupObject& group = group_object(self);
    Ref future = Ref::steal(new_future());
    if (future.get() == nullptr) return nullptr;
    set_task(future.get(), group.group->add_task(PyCall(*group.state, args[0], Teller::future, future.get(),
                                                        args + 1, count - 1, names),
                                                 SourceLocation{}));
    return future.release();
  });
}

}  // namespace

PyMethodDef adding_methods[] = {
    {"add_task", as_method(&group_add_task), kFast,
     "add_task($self, fn, /, *args, **kwargs)\n--\n\n"
     "Add a task, fn(*args, **kwargs), that runs in a copy of the caller's context, and return its "
     "TaskHandle. Tasks start in the order in which one thread added them. If the event is set, the task is "
     "skipped at once."},
    {"add_named_task", as_method(&group_add_named_task), kFast,
     "add_named_task($self, name, fn, /, *args, **kwargs)\n--\n\n"
     "The same, with a name for reports and errors."},
    {"post", as_method(&group_post), kFast,
     "post($self, fn, /, *args, **kwargs)\n--\n\n"
     "The same without a handle: cheaper. A result is dropped; a failure still reaches the join."},
    {"_submit", as_method(&group_submit), kFast, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace tg::python
