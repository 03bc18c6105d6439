// SPDX-License-Identifier: Apache-2.0
// The Python type of a task's handle: written against the C interface, for one is made for each task.
//
// Invariants
//   H1. A handle is tracked by the garbage collector once it can be part of a cycle: when it holds an outcome
//       that refers to others, or what `_handles` keeps with it. Most handles never are, and cost it nothing.
#include "handle.hpp"

#include <new>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/task_handle.hpp>
#include <threadgroup/thread_utils.hpp>

#include "arguments.hpp"
#include "base/escaped.hpp"
#include "caller.hpp"
#include "event/callers_task.hpp"
#include "group.hpp"
#include "member.hpp"
#include "result/task_watcher.hpp"

namespace tg::python {

namespace {

struct HandleObject {
  PyObject_HEAD TaskHandle<void> task;
  GroupState* group;  // one reference
  PyObject* outcome;  // what the task returned or raised, once it is known and unless a cycle was broken
  PyObject* waiting;  // where threadgroup_core._handles keeps the waiters for the end
  PyObject* weak_references;
};

PyTypeObject* handle_type = nullptr;
// concurrent.futures.TimeoutError: before Python 3.11 a type of its own.
PyObject* future_timeout_error = nullptr;

HandleObject& object_of(PyObject* self) noexcept { return *reinterpret_cast<HandleObject*>(self); }
const TaskHandle<void>& task_of(PyObject* self) noexcept { return object_of(self).task; }

void track(PyObject* self) noexcept {
  if (PyObject_GC_IsTracked(self) == 0) PyObject_GC_Track(self);
}

bool parse_duration(PyObject* const* args, Py_ssize_t count, PyObject* names, const char* method,
                    Duration& timeout) {
  PyObject* given = nullptr;
  if (!parse_timeout(args, count, names, method, given)) return false;
  timeout = to_duration(given);
  return true;
}

bool wait(const TaskHandle<void>& task, Duration timeout) {
  if (task.done()) return true;
  WaitOutcome outcome = WaitOutcome::timed_out;
  wait_interruptibly(timeout, [&](Duration slice) {
    outcome = task.wait(slice);
    return outcome != WaitOutcome::timed_out;
  });
  return outcome == WaitOutcome::ready;
}

// False with an error set after the time-out. True also if the caller's event is set: see below.
bool wait_or_raise(const TaskHandle<void>& task, Duration timeout, PyObject* timeout_error) {
  if (wait(task, timeout) || thread_utils::event_is_set()) return true;
  PyErr_Format(timeout_error, "task '%s' is not done", task.name().c_str());
  return false;
}

// Throws what there is instead of an outcome: the task was skipped, or else the caller's event has ended the
// wait. The status is what the caller has seen: the task may continue meanwhile.
[[noreturn]] void throw_instead_of_outcome(const TaskHandle<void>& task, TaskStatus seen) {
  if (seen == TaskStatus::skipped) throw TaskSkipped(task.name(), *task.reason());
  throw WaitInterrupted(task.name(), detail::event_of_caller()->reason());
}

PyObject* deliver_failure(PyObject* self) {
  const TaskHandle<void>& task = task_of(self);
  // Before it is dropped elsewhere.
  const Ref exception = Ref::borrow(object_of(self).outcome);
  // If it is ours, a join need not tell it again. If it is not, a join may be about to tell it, and needs it.
  const bool ours = detail::SlotOf::get(task)->claim_failure();
  const py::object translated = ours ? to_python_delivered(task.exception()) : to_python(task.exception());
  PyObject* const raised = exception.get() != nullptr ? exception.get() : translated.ptr();
  if (raised == Py_None) throw std::runtime_error("the garbage collector broke a cycle through this handle");
  raise_again(raised);
  return nullptr;
}

PyObject* get_within(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names,
                     const char* method, PyObject* timeout_error) {
  return guarded([&]() -> PyObject* {
    const TaskHandle<void>& task = task_of(self);
    if (count != 0 || names != nullptr || !task.done()) {
      Duration timeout;
      if (!parse_duration(args, count, names, method, timeout)) return nullptr;
      if (!wait_or_raise(task, timeout, timeout_error)) return nullptr;
    }
    const TaskStatus status = task.status();
    PyObject* const outcome = object_of(self).outcome;
    switch (status) {
      case TaskStatus::succeeded: {
        PyObject* const result = outcome != nullptr ? outcome : Py_None;
        Py_INCREF(result);
        return result;
      }
      case TaskStatus::failed:
        return deliver_failure(self);
      case TaskStatus::stopped:
        if (outcome == nullptr) task.get();  // throws what C++ has of it
        raise_again(outcome);
        return nullptr;
      default:
        throw_instead_of_outcome(task, status);
    }
  });
}

PyObject* handle_get(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return get_within(self, args, count, names, "get", PyExc_TimeoutError);
}
PyObject* handle_result(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return get_within(self, args, count, names, "result", future_timeout_error);
}

PyObject* handle_exception(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    Duration timeout;
    if (!parse_duration(args, count, names, "exception", timeout)) return nullptr;
    const TaskHandle<void>& task = task_of(self);
    if (!wait_or_raise(task, timeout, future_timeout_error)) return nullptr;
    const TaskStatus status = task.status();
    PyObject* const outcome = object_of(self).outcome;
    switch (status) {
      case TaskStatus::succeeded:
        Py_RETURN_NONE;
      case TaskStatus::failed:
      case TaskStatus::stopped:
        if (outcome == nullptr) return to_python(task.exception()).release().ptr();
        Py_INCREF(outcome);
        return outcome;
      default:
        throw_instead_of_outcome(task, status);
    }
  });
}

PyObject* handle_wait(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return guarded([&]() -> PyObject* {
    Duration timeout;
    if (!parse_duration(args, count, names, "wait", timeout)) return nullptr;
    return PyBool_FromLong(wait(task_of(self), timeout));
  });
}

PyObject* handle_done(PyObject* self, PyObject*) { return PyBool_FromLong(task_of(self).done()); }
PyObject* handle_running(PyObject* self, PyObject*) {
  return PyBool_FromLong(task_of(self).status() == TaskStatus::running);
}
PyObject* handle_cancelled(PyObject* self, PyObject*) {
  return PyBool_FromLong(task_of(self).status() == TaskStatus::skipped);
}

PyObject* handle_cancel(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const TaskHandle<void>& task = task_of(self);
    if (task.status() == TaskStatus::pending) {
      // An object that has no reference any more is on its way out, and must not be touched.
      if (PyObject* const group = object_of(self).group->object; group != nullptr && Py_REFCNT(group) > 0) {
        const Ref kept = Ref::borrow(group);
        core_of_group(group).clear_pending(task, "the task was cancelled", python_caller());
      }
    }
    return PyBool_FromLong(task.status() == TaskStatus::skipped);
  });
}

PyObject* handle_set_event(PyObject* self, PyObject* message) {
  return guarded([&]() -> PyObject* {
    const SourceLocation where = python_caller();
    std::string text = to_text(message);
    return PyBool_FromLong(without_gil([&] { return task_of(self).set_event(std::move(text), where); }));
  });
}

// --- Notifying of the end ---

// Calls a Python function with the handle, once.
struct CallsPython final : detail::TaskWatcher {
  CallsPython(Ref f, Ref h) noexcept : function(std::move(f)), handle(std::move(h)) {}
  void ended() noexcept override {
    if (GilIfOpen gil; gil) {
      {
        const ErrorsSaved saved;
        const Ref done =
            Ref::steal(calling_python([this] { return PyObject_CallOneArg(function.get(), handle.get()); }));
        if (done.get() == nullptr) report_unraisable(function.get());
      }
      delete this;
    }
  }
  Ref function;
  Ref handle;
};

PyObject* handle_waiting(PyObject* self, void*) {
  PyObject* const waiting = object_of(self).waiting;
  PyObject* const shown = waiting != nullptr ? waiting : Py_None;
  Py_INCREF(shown);
  return shown;
}

// One step under the interpreter's lock, in place of a lock of ours around several.
PyObject* handle_keep_waiting(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    if (count != 3) {
      PyErr_SetString(PyExc_TypeError, "_keep_waiting() takes what is there, what is to be, and a function");
      return nullptr;
    }
    PyObject* const seen = args[0] != Py_None ? args[0] : nullptr;
    if (object_of(self).waiting != seen) return handle_waiting(self, nullptr);  // another thread was faster
    auto* const watcher = new CallsPython(Ref::borrow(args[2]), Ref::borrow(self));
    Py_INCREF(args[1]);
    const Ref before = Ref::steal(std::exchange(object_of(self).waiting, args[1]));
    track(self);  // H1
    // Calls the function at once if the task has ended.
    detail::SlotOf::get(task_of(self))->watch(*watcher);
    return handle_waiting(self, nullptr);
  });
}

// --- Looking ---

PyObject* handle_status(PyObject* self, void*) {
  return guarded([&] { return to_python(task_of(self).status()).release().ptr(); });
}
PyObject* handle_name(PyObject* self, void*) {
  return guarded([&] { return py::str(task_of(self).name()).release().ptr(); });
}
PyObject* handle_reason(PyObject* self, void*) {
  return guarded([&] { return to_python(task_of(self).reason()).release().ptr(); });
}
PyObject* handle_repr(PyObject* self) {
  return guarded([&] {
    const TaskHandle<void>& task = task_of(self);
    return py::str("<TaskHandle '" + detail::escaped(task.name()) + "' " + to_string(task.status()) + ">")
        .release()
        .ptr();
  });
}

PyObject* handle_class_getitem(PyObject* type, PyObject*) {  // TaskHandle[int], for annotations
  Py_INCREF(type);
  return type;
}

// --- The life of the object ---

int handle_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(object_of(self).outcome);
  Py_VISIT(object_of(self).waiting);
  return 0;
}
int handle_clear(PyObject* self) {
  Py_CLEAR(object_of(self).outcome);
  Py_CLEAR(object_of(self).waiting);
  return 0;
}

void destroy(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  HandleObject& object = object_of(self);
  if (object.weak_references != nullptr) PyObject_ClearWeakRefs(self);
  handle_clear(self);
  object.task.~TaskHandle<void>();
  object.group->release();
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

void handle_dealloc(PyObject* self) {
  if (PyObject_GC_IsTracked(self) == 0) return destroy(self);  // H1: what it holds refers to nothing
  PyObject_GC_UnTrack(self);
  Py_TRASHCAN_BEGIN(self, handle_dealloc);  // handles may hold one another to any depth
  destroy(self);
  Py_TRASHCAN_END
}

PyMethodDef methods[] = {
    {"wait", as_method(&handle_wait), kFast,
     "wait($self, /, timeout=None)\n--\n\n"
     "True once the task has ended, in whichever way. False after the timeout, or if the caller's own group "
     "was stopped first."},
    {"get", as_method(&handle_get), kFast,
     "get($self, /, timeout=None)\n--\n\n"
     "Wait, and return what the task returned or raise what it raised. TaskSkipped if it never ran, "
     "WaitInterrupted if the caller's own group was stopped first, TimeoutError after the timeout."},
    {"result", as_method(&handle_result), kFast,
     "result($self, /, timeout=None)\n--\n\n"
     "The same as get(), under the name that concurrent.futures has for it. TaskSkipped is a "
     "concurrent.futures.CancelledError."},
    {"exception", as_method(&handle_exception), kFast,
     "exception($self, /, timeout=None)\n--\n\n"
     "Wait, and return what the task raised, or None. Raises what get() would if the task never ran. Asking "
     "does not count as having seen the failure; get() and result() do."},
    {"done", &handle_done, METH_NOARGS,
     "done($self, /)\n--\n\nWhether the task has ended, in whichever way."},
    {"running", &handle_running, METH_NOARGS, "running($self, /)\n--\n\nWhether a thread runs the task now."},
    {"cancelled", &handle_cancelled, METH_NOARGS,
     "cancelled($self, /)\n--\n\nWhether the task was skipped: cancelled, or its group was stopped before it "
     "began."},
    {"cancel", &handle_cancel, METH_NOARGS,
     "cancel($self, /)\n--\n\n"
     "Skip the task unless it has begun. True if it never runs. A task that runs is not stopped: set its "
     "group's event for that."},
    {"_set_event", &handle_set_event, METH_O,
     "_set_event($self, message, /)\n--\n\n"
     "Stop only this task, which was added by `_try_add_stoppable`; skip it if it has not begun."},
    {"_keep_waiting", as_method(&handle_keep_waiting), METH_FASTCALL,
     "_keep_waiting($self, seen, waiting, ended, /)\n--\n\n"
     "Keep `waiting` as `_waiting`, and have ended(self) called when the task has ended, unless another "
     "thread has replaced what was `seen`. Returns what is kept."},
    {"__class_getitem__", &handle_class_getitem, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"status", &handle_status, nullptr, "How far the task is: a TaskStatus.", nullptr},
    {"name", &handle_name, nullptr, "The name given to the task, or 'task 17'.", nullptr},
    {"reason", &handle_reason, nullptr, "Why it was skipped or stopped, if it was.", nullptr},
    {"_waiting", &handle_waiting, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {{"__weaklistoffset__", TG_PY_SIZE_MEMBER, offsetof(HandleObject, weak_references),
                          TG_PY_READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>(
         "Looks at one task of a group, waits for it, and has its result.\n\n"
         "It outlives the group. A wait lends the caller's slot to other tasks of its group. It can be "
         "awaited, and used as a future in concurrent.futures.wait and as_completed.")},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_members, members},
    {Py_tp_repr, reinterpret_cast<void*>(&handle_repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(&handle_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&handle_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&handle_dealloc)},
    {0, nullptr}};
PyType_Spec spec = {"threadgroup_core.TaskHandle", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject* new_handle(GroupState& group) noexcept {
  auto* const object = PyObject_GC_New(HandleObject, handle_type);
  if (object == nullptr) return nullptr;
  ::new (static_cast<void*>(&object->task)) TaskHandle<void>;
  group.add_reference();
  object->group = &group;
  object->outcome = nullptr;
  object->waiting = nullptr;
  object->weak_references = nullptr;
  return reinterpret_cast<PyObject*>(object);
}

void bind_handle(PyObject* handle, TaskHandle<void> task) noexcept {
  object_of(handle).task = std::move(task);
}

void set_outcome(PyObject* handle, Ref outcome) noexcept {
  // Only the task has it, and no weak reference leads to it: no caller will ask.
  if (Py_REFCNT(handle) == 1 && object_of(handle).weak_references == nullptr) return;
  object_of(handle).outcome = outcome.release();
  if (PyObject_IS_GC(object_of(handle).outcome) != 0) track(handle);  // H1
}

const TaskHandle<void>* task_of_handle(PyObject* object) noexcept {
  if (Py_TYPE(object) == handle_type) return &task_of(object);
  PyErr_Format(PyExc_TypeError, "expected a TaskHandle, not %.200s", Py_TYPE(object)->tp_name);
  return nullptr;
}

bool init_handle(PyObject* module) {
  const Ref futures = Ref::steal(PyImport_ImportModule("concurrent.futures"));
  if (futures.get() == nullptr) return false;
  future_timeout_error = PyObject_GetAttrString(futures.get(), "TimeoutError");
  handle_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return future_timeout_error != nullptr && handle_type != nullptr &&
         PyModule_AddObjectRef(module, "TaskHandle", reinterpret_cast<PyObject*>(handle_type)) == 0;
}

}  // namespace tg::python
