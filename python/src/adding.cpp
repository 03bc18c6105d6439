// SPDX-License-Identifier: Apache-2.0
// Adding tasks: called once per task, so by hand.
#include "adding.hpp"

#include <optional>

#include <threadgroup/options.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/task_handle.hpp>

#include "arguments.hpp"
#include "call.hpp"
#include "future.hpp"
#include "group.hpp"
#include "handle.hpp"
#include "waiting.hpp"

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

TaskName name_of(PyObject* name) { return TaskName(to_text(name), SourceLocation{}); }

TaskHandle<void> add(ThreadGroup& group, PyObject* name, PyCall call) {
  return name != nullptr ? group.add_task(name_of(name), std::move(call))
                         : group.add_task(std::move(call), SourceLocation{});
}
// Nothing if the group is full: then the call is unchanged.
std::optional<TaskHandle<void>> try_add(ThreadGroup& group, PyObject* name, PyCall& call) {
  return name != nullptr ? group.try_add_task(name_of(name), std::move(call))
                         : group.try_add_task(std::move(call));
}

// As `add`, but if the group is full, the wait for room is made without the interpreter's lock.
TaskHandle<void> add_when_there_is_room(GroupObject& object, PyObject* name, PyCall call) {
  ThreadGroup& group = *object.group;
  if (!object.state->has_limit) return add(group, name, std::move(call));
  if (std::optional<TaskHandle<void>> added = try_add(group, name, call)) return *std::move(added);
  std::optional<TaskName> text;
  if (name != nullptr) text.emplace(name_of(name));
  TaskHandle<void> handle;
  wait_without_gil(
      EndedBy::stops,
      [&] {
        handle = text ? group.add_task(*std::move(text), std::move(call))
                      : group.add_task(std::move(call), SourceLocation{});
        return handle.status() != TaskStatus::skipped;
      },
      [] {});
  return handle;
}

PyObject* add_with_handle(GroupObject& group, PyObject* name, PyObject* callable, PyObject* const* stack,
                          Py_ssize_t count, PyObject* names) {
  Ref handle = Ref::steal(new_handle(*group.state));
  if (handle.get() == nullptr) return nullptr;
  bind_handle(handle.get(), add_when_there_is_room(group, name,
                                                   PyCall(*group.state, callable, Teller::handle,
                                                          handle.get(), stack, count, names)));
  return handle.release();
}

PyObject* group_add_task(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("add_task", count, 1, [&]() -> PyObject* {
    if (!check_callable(args[0])) return nullptr;
    return add_with_handle(group_object(self), nullptr, args[0], args + 1, count - 1, names);
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
    return add_with_handle(group_object(self), args[0], args[1], args + 2, count - 2, names);
  });
}

// None if the group is full. `add` tries to add a `PyCall` to a `ThreadGroup`.
template <class Add>
PyObject* try_add_with_handle(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names,
                              Add add) {
  if (!check_callable(args[0])) return nullptr;
  GroupObject& group = group_object(self);
  Ref handle = Ref::steal(new_handle(*group.state));
  if (handle.get() == nullptr) return nullptr;
  PyCall call(*group.state, args[0], Teller::handle, handle.get(), args + 1, count - 1, names);
  std::optional<TaskHandle<void>> added = add(*group.group, call);
  if (!added) return none();
  bind_handle(handle.get(), *std::move(added));
  return handle.release();
}

PyObject* group_try_add_task(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("try_add_task", count, 1, [&] {
    return try_add_with_handle(self, args, count, names, [](ThreadGroup& group, PyCall& call) {
      return try_add(group, nullptr, call);
    });
  });
}

// A task that can be stopped by itself, while it runs.
PyObject* group_try_add_stoppable(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("_try_add_stoppable", count, 1, [&] {
    return try_add_with_handle(self, args, count, names, [](ThreadGroup& group, PyCall& call) {
      return group.try_add_task(TaskOptions{.own_event = true, .where = SourceLocation{}}, std::move(call));
    });
  });
}

PyObject* group_post(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return add_guarded("post", count, 1, [&]() -> PyObject* {
    if (!check_callable(args[0])) return nullptr;
    GroupObject& group = group_object(self);
    PyCall call(*group.state, args[0], Teller::none, nullptr, args + 1, count - 1, names);
    if (group.state->has_limit) {
      add_when_there_is_room(group, nullptr, std::move(call));
    } else {
      group.group->post(std::move(call), SourceLocation{});
    }
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
     "skipped at once. If the group is full (max_pending), wait until a pending task begins; a stop meanwhile "
     "makes it a skipped one."},
    {"try_add_task", as_method(&group_try_add_task), kFast,
     "try_add_task($self, fn, /, *args, **kwargs)\n--\n\nThe same if the group has room (max_pending), else None."},
    {"add_named_task", as_method(&group_add_named_task), kFast,
     "add_named_task($self, name, fn, /, *args, **kwargs)\n--\n\n"
     "The same, with a name for reports and errors."},
    {"post", as_method(&group_post), kFast,
     "post($self, fn, /, *args, **kwargs)\n--\n\n"
     "The same without a handle: cheaper. A result is dropped; a failure still reaches the join."},
    {"_try_add_stoppable", as_method(&group_try_add_stoppable), kFast, nullptr},
    {"_submit", as_method(&group_submit), kFast, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace tg::python
