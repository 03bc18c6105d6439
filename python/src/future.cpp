// SPDX-License-Identifier: Apache-2.0
// The futures of an executor: waiting for them, and what happens to them.
#include "future.hpp"

#include <optional>

#include <threadgroup/detail/task_slot.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/task_handle.hpp>

#include "arguments.hpp"
#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "future_object.hpp"

namespace tg::python {

namespace {

PyObject* future_type = nullptr;  // threadgroup_core._future.Future
PyObject* cancelled_error = nullptr;
PyObject* timeout_error = nullptr;

// The standard library's methods, for what is rare.
struct {
  PyObject *result, *exception, *cancel, *add_done_callback, *begin, *set_result, *set_exception,
      *invoke_callbacks;
} standard;

bool call_standard(PyObject* method, PyObject* self, PyObject* argument) {
  return Ref::steal(PyObject_CallFunctionObjArgs(method, self, argument, nullptr)).get() != nullptr;
}

bool invoke_callbacks(PyObject* self) {
  const PyObject* const callbacks = of(self).callbacks;
  if (callbacks == nullptr || PyList_GET_SIZE(callbacks) == 0) return true;
  return call_standard(standard.invoke_callbacks, self, nullptr);
}

bool set_outcome(PyObject* self, PyObject* FutureObject::*where, PyObject* value, PyObject* method) {
  FutureObject& future = of(self);
  if (future.condition != nullptr || future.is_final()) return call_standard(method, self, value);  // U2
  const Ref before = Ref::steal(future.*where);
  future.*where = value != Py_None ? new_reference(value) : nullptr;
  make_final(future, FutureState::finished);
  return invoke_callbacks(self);
}

// Waits for the task until the future is final. False with an error set.
bool wait_for_task(PyObject* self, Duration timeout) {
  FutureObject& future = of(self);
  detail::TaskSlot& task = *detail::SlotOf::get(future.task);
  detail::Event* const event = detail::event_of_caller();
  const TimePoint deadline = runtime::after(timeout);
  if (future.woken == nullptr) future.woken = new detail::Event;  // U3
  bool task_has_ended = false;
  while (!future.is_final()) {
    WaitOutcome outcome = WaitOutcome::timed_out;
    wait_interruptibly(timeout, [&](Duration slice) {
      const TimePoint until = runtime::after(slice);
      outcome = task_has_ended ? detail::wait({event, future.woken}, until)
                               : task.wait_watching(event, until, future.woken);
      return outcome != WaitOutcome::timed_out;
    });
    if (future.is_final()) break;
    if (outcome == WaitOutcome::ready) {
      if (!drop_future(self)) return false;  // ended without its call
      // A future that other code has begun is made final by that code.
      task_has_ended = true;
      if (!deadline.is_never()) timeout = deadline - runtime::now();
    } else if (outcome == WaitOutcome::event_set && event != nullptr && event->is_set()) {
      throw WaitInterrupted(task.shown_name(), event->reason());
    } else {
      PyErr_SetNone(timeout_error);
      return false;
    }
  }
  return true;
}

void raise_cancelled(const FutureObject& future) {
  std::optional<Reason> reason;
  if (future.task.valid() && future.task.done()) reason = future.task.reason();
  if (reason) {
    PyErr_SetString(cancelled_error, ("the call was never made: " + reason->str()).c_str());
  } else {
    PyErr_SetNone(cancelled_error);
  }
}

void raise_stored(PyObject* exception) {
  if (PyExceptionClass_Check(exception) != 0) return PyErr_SetNone(exception);  // as `raise` does
  if (PyExceptionInstance_Check(exception) == 0) {
    PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
    return;
  }
  PythonError(Ref::borrow(exception)).restore();
}

PyObject* outcome(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names, bool exception) {
  return guarded([&]() -> PyObject* {
    PyObject* timeout = nullptr;
    if (!parse_timeout(args, count, names, exception ? "exception" : "result", timeout)) return nullptr;
    FutureObject& future = of(self);
    if (!future.is_final()) {
      if (!future.task.valid()) {
        return PyObject_CallFunctionObjArgs(exception ? standard.exception : standard.result, self, timeout,
                                            nullptr);
      }
      if (!wait_for_task(self, to_duration(timeout))) return nullptr;
    }
    if (future.is_cancelled()) {
      raise_cancelled(future);
      return nullptr;
    }
    if (!exception && future.exception != nullptr) {
      raise_stored(future.exception);
      return nullptr;
    }
    PyObject* const stored = exception ? future.exception : future.result;
    return new_reference(stored != nullptr ? stored : Py_None);
  });
}

// --- Methods

PyObject* future_result(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return outcome(self, args, count, names, false);
}
PyObject* future_exception(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return outcome(self, args, count, names, true);
}
PyObject* future_done(PyObject* self, PyObject*) { return PyBool_FromLong(of(self).is_final()); }
PyObject* future_running(PyObject* self, PyObject*) {
  return PyBool_FromLong(of(self).state == FutureState::running);
}
PyObject* future_cancelled(PyObject* self, PyObject*) { return PyBool_FromLong(of(self).is_cancelled()); }

PyObject* future_cancel(PyObject* self, PyObject*) {
  FutureObject& future = of(self);
  if (future.state != FutureState::pending) return PyBool_FromLong(future.is_cancelled());
  if (future.condition != nullptr) return PyObject_CallOneArg(standard.cancel, self);  // U2
  make_final(future, FutureState::cancelled);
  if (!invoke_callbacks(self)) return nullptr;
  Py_RETURN_TRUE;
}

PyObject* future_add_done_callback(PyObject* self, PyObject* callback) {
  FutureObject& future = of(self);
  PyObject* list = nullptr;
  if (!future.is_final()) {
    list = list_in(future.callbacks);
    if (list == nullptr) return nullptr;
  }
  if (future.is_final()) {  // U1: looked at again after the list was made
    return PyObject_CallFunctionObjArgs(standard.add_done_callback, self, callback, nullptr);
  }
  if (PyList_Append(list, callback) != 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* future_begin(PyObject* self, PyObject*) {
  switch (begin_future(self)) {
    case FutureBegin::run:
      Py_RETURN_TRUE;
    case FutureBegin::cancelled:
      Py_RETURN_FALSE;
    case FutureBegin::error:
      break;
  }
  return nullptr;
}
PyObject* future_set_result(PyObject* self, PyObject* result) {
  if (!set_future_result(self, result)) return nullptr;
  Py_RETURN_NONE;
}
PyObject* future_set_exception(PyObject* self, PyObject* exception) {
  if (!set_future_exception(self, exception)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* future_class_getitem(PyObject* type, PyObject* item) { return Py_GenericAlias(type, item); }

PyMethodDef methods[] = {
    {"result", as_method(&future_result), kFast,
     "result($self, /, timeout=None)\n--\n\nWait for the call, and return its result or raise what it "
     "raised. In a "
     "task the wait lends the caller's slot, and ends with WaitInterrupted when the caller's group is "
     "stopped."},
    {"exception", as_method(&future_exception), kFast,
     "exception($self, /, timeout=None)\n--\n\nWait as result does, and return what the call raised, or "
     "None."},
    {"done", &future_done, METH_NOARGS, "done($self, /)\n--\n\nWhether the call has ended or was cancelled."},
    {"running", &future_running, METH_NOARGS, "running($self, /)\n--\n\nWhether the call is being made."},
    {"cancelled", &future_cancelled, METH_NOARGS,
     "cancelled($self, /)\n--\n\nWhether the call was cancelled."},
    {"cancel", &future_cancel, METH_NOARGS,
     "cancel($self, /)\n--\n\nCancel the call if it has not begun, and say whether it is cancelled."},
    {"add_done_callback", &future_add_done_callback, METH_O,
     "add_done_callback($self, fn, /)\n--\n\nCall fn(self) when the future is done; at once, if it is."},
    {"set_running_or_notify_cancel", &future_begin, METH_NOARGS,
     "set_running_or_notify_cancel($self, /)\n--\n\nFor executors: the call begins. False if it was "
     "cancelled."},
    {"set_result", &future_set_result, METH_O,
     "set_result($self, result, /)\n--\n\nFor executors: the call returned this."},
    {"set_exception", &future_set_exception, METH_O,
     "set_exception($self, exception, /)\n--\n\nFor executors: the call raised this."},
    {"__class_getitem__", &future_class_getitem, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("What a future of this library adds to the standard one.")},
    {Py_tp_new, reinterpret_cast<void*>(&future_new)},
    {Py_tp_init, reinterpret_cast<void*>(&future_init)},
    {Py_tp_methods, methods},
    {Py_tp_getset, future_attributes},
    {Py_tp_traverse, reinterpret_cast<void*>(&future_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&future_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&future_dealloc)},
    {0, nullptr}};
PyType_Spec spec = {"threadgroup_core._core.FutureBase", sizeof(FutureObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

PyObject* set_future_type(PyObject*, PyObject* type) {
  Py_XSETREF(future_type, new_reference(type));
  Py_RETURN_NONE;
}
PyMethodDef set_type_method = {"_set_future_type", &set_future_type, METH_O, nullptr};

PyObject* take(const py::object& owner, const char* name) {
  return py::object(owner.attr(name)).release().ptr();
}

void load_standard() {
  const py::object futures = imported("concurrent.futures._base");
  const py::object future = futures.attr("Future");
  standard.result = take(future, "result");
  standard.exception = take(future, "exception");
  standard.cancel = take(future, "cancel");
  standard.add_done_callback = take(future, "add_done_callback");
  standard.begin = take(future, "set_running_or_notify_cancel");
  standard.set_result = take(future, "set_result");
  standard.set_exception = take(future, "set_exception");
  standard.invoke_callbacks = take(future, "_invoke_callbacks");
  cancelled_error = take(futures, "CancelledError");
  timeout_error = take(futures, "TimeoutError");
  load_future_object(futures);
}

}  // namespace

PyObject* new_future() noexcept {
  if (future_type == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "import threadgroup_core first");
    return nullptr;
  }
  return allocate_future(reinterpret_cast<PyTypeObject*>(future_type));
}

void set_task(PyObject* future, TaskHandle<void> task) noexcept { of(future).task = std::move(task); }

FutureBegin begin_future(PyObject* self) {
  FutureObject& future = of(self);
  if (future.condition == nullptr && future.state == FutureState::pending) {
    future.state = FutureState::running;
    return FutureBegin::run;
  }
  if (future.condition == nullptr && future.state == FutureState::cancelled) {
    future.state = FutureState::notified;
    return FutureBegin::cancelled;
  }
  const Ref go = Ref::steal(PyObject_CallOneArg(standard.begin, self));
  if (go.get() == nullptr) return FutureBegin::error;
  return go.get() == Py_True ? FutureBegin::run : FutureBegin::cancelled;
}

bool set_future_result(PyObject* future, PyObject* result) {
  return set_outcome(future, &FutureObject::result, result, standard.set_result);
}
bool set_future_exception(PyObject* future, PyObject* exception) {
  return set_outcome(future, &FutureObject::exception, exception, standard.set_exception);
}

bool drop_future(PyObject* self) {
  if (of(self).state == FutureState::pending) {
    const Ref cancelled = Ref::steal(future_cancel(self, nullptr));
    if (cancelled.get() == nullptr) return false;
  }
  return of(self).state != FutureState::cancelled || begin_future(self) != FutureBegin::error;
}

bool init_future(PyObject* module) {
  load_standard();
  const Ref type = Ref::steal(PyType_FromSpec(&spec));
  const Ref setter = Ref::steal(PyCFunction_New(&set_type_method, nullptr));
  return type.get() != nullptr && setter.get() != nullptr &&
         PyModule_AddObjectRef(module, "FutureBase", type.get()) == 0 &&
         PyModule_AddObjectRef(module, "_set_future_type", setter.get()) == 0;
}

}  // namespace tg::python
