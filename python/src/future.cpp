// SPDX-License-Identifier: Apache-2.0
// A `concurrent.futures.Future` without a lock and a condition of its own, until they are asked for.
//
// `threadgroup_core._future.Future` inherits this type first and `concurrent.futures.Future` second. The
// attributes that the standard library's functions use (`_condition`, `_state`, `_waiters` and so on) are
// descriptors here. `wait`, `as_completed` and whatever else takes the condition get a real one, made at that
// moment.
//
// Invariants
//   U1. Everything but `woken` is guarded by the interpreter's lock: what looks at the state and then changes
//       it runs no Python code in between.
//   U2. From the moment when the future has a condition, its state changes only under that: the methods of
//       the standard library do it then. Those who hold the condition rely on it.
//   U3. Whoever makes the state final sets `woken`, if it exists, afterwards; a waiter makes `woken` first
//       and looks at the state afterwards. So no wait for the task outlasts the future, whether the call has
//       ended, was cancelled, or somebody else has set the result.
#include <new>

#include <threadgroup/event/caller.hpp>
#include <threadgroup/result/errors.hpp>
#include "future.hpp"

namespace tg::python {

namespace {

enum class State : std::uint8_t { pending, running, cancelled, notified, finished };
constexpr std::size_t kStates = 5;
constexpr const char* kStateNames[kStates] = {"PENDING", "RUNNING", "CANCELLED", "CANCELLED_AND_NOTIFIED",
                                              "FINISHED"};

struct FutureObject {
  PyObject_HEAD PyObject* result;
  PyObject* exception;
  PyObject* condition;  // these three are null until they are asked for
  PyObject* waiters;
  PyObject* callbacks;
  TaskHandle<void> task;  // not valid: somebody else made the future
  detail::Event* woken;   // null until somebody waits for the task
  State state;

  bool is_final() const noexcept { return state >= State::cancelled; }
  bool is_cancelled() const noexcept { return state == State::cancelled || state == State::notified; }
};

FutureObject& of(PyObject* self) noexcept { return *reinterpret_cast<FutureObject*>(self); }

PyObject* future_type = nullptr;  // threadgroup_core._future.Future
PyObject* state_names[kStates];
PyObject* condition_type = nullptr;
PyObject* cancelled_error = nullptr;
PyObject* timeout_error = nullptr;
const detail::SharedReason* woken_reason = nullptr;

// The standard library's methods, for what is rare.
struct {
  PyObject *result, *exception, *cancel, *add_done_callback, *begin, *set_result, *set_exception,
      *invoke_callbacks;
} standard;

template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_error_from_current();
    return nullptr;
  }
}

PyObject* new_reference(PyObject* object) noexcept {
  Py_INCREF(object);
  return object;
}

bool call_standard(PyObject* method, PyObject* self, PyObject* argument) {
  return Ref::steal(PyObject_CallFunctionObjArgs(method, self, argument, nullptr)).get() != nullptr;
}

void make_final(FutureObject& future, State state) noexcept {
  future.state = state;
  if (future.woken == nullptr || future.woken->is_set()) return;
  woken_reason->add_references(1);
  if (!future.woken->mark(woken_reason)) {
    woken_reason->release();
  } else if (future.woken->is_watched()) {
    future.woken->release_waiters();
  }
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
  make_final(future, State::finished);
  return invoke_callbacks(self);
}

// Waits for the task until the future is final. False with an error set.
bool wait_for_task(PyObject* self, Duration timeout) {
  FutureObject& future = of(self);
  detail::TaskSlot& task = *detail::SlotOf::get(future.task);
  if (future.woken == nullptr) future.woken = new detail::Event;  // U3
  detail::WaitOutcome outcome = detail::WaitOutcome::timed_out;
  wait_interruptibly(timeout, [&](Duration slice) {
    outcome = task.wait_watching(detail::event_of_caller(), runtime::after(slice), future.woken);
    return outcome != detail::WaitOutcome::timed_out;
  });
  if (future.is_final()) return true;
  if (outcome == detail::WaitOutcome::ready) return drop_future(self);  // ended without its call
  if (outcome == detail::WaitOutcome::event_set) {
    throw WaitInterrupted(task.shown_name(), detail::event_of_caller()->reason());
  }
  PyErr_SetNone(timeout_error);
  return false;
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
  if (PyExceptionInstance_Check(exception) == 0) {
    PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
    return;
  }
  PythonError(Ref::borrow(exception)).restore();
}

PyObject* outcome(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names, bool exception) {
  return guarded([&]() -> PyObject* {
    const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    if (count + named > 1 ||
        (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "timeout") != 0)) {
      PyErr_Format(PyExc_TypeError, "%s() takes at most one argument, the timeout",
                   exception ? "exception" : "result");
      return nullptr;
    }
    PyObject* const timeout = count + named == 1 ? args[0] : Py_None;
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
  return PyBool_FromLong(of(self).state == State::running);
}
PyObject* future_cancelled(PyObject* self, PyObject*) { return PyBool_FromLong(of(self).is_cancelled()); }

PyObject* future_cancel(PyObject* self, PyObject*) {
  FutureObject& future = of(self);
  if (future.state != State::pending) return PyBool_FromLong(future.is_cancelled());
  if (future.condition != nullptr) return PyObject_CallOneArg(standard.cancel, self);  // U2
  make_final(future, State::cancelled);
  if (!invoke_callbacks(self)) return nullptr;
  Py_RETURN_TRUE;
}

PyObject* future_add_done_callback(PyObject* self, PyObject* callback) {
  FutureObject& future = of(self);
  if (future.is_final()) {
    return PyObject_CallFunctionObjArgs(standard.add_done_callback, self, callback, nullptr);
  }
  if (future.callbacks == nullptr) {
    PyObject* const list = PyList_New(0);
    if (list == nullptr) return nullptr;
    future.callbacks = list;
  }
  if (PyList_Append(future.callbacks, callback) != 0) return nullptr;
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

PyCFunction as_function(PyObject* (*f)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef methods[] = {
    {"result", as_function(&future_result), METH_FASTCALL | METH_KEYWORDS,
     "result($self, /, timeout=None)\n--\n\nWait for the call, and return its result or raise what it "
     "raised. In a "
     "task the wait lends the caller's place, and ends with WaitInterrupted when the caller's group is "
     "stopped."},
    {"exception", as_function(&future_exception), METH_FASTCALL | METH_KEYWORDS,
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

// --- What the standard library's own code reads and writes

template <PyObject* FutureObject::*kMember>
PyObject* get_object(PyObject* self, void*) {
  PyObject* const object = of(self).*kMember;
  return new_reference(object != nullptr ? object : Py_None);
}
template <PyObject* FutureObject::*kMember>
int set_object(PyObject* self, PyObject* value, void*) {
  PyObject* const before = of(self).*kMember;
  of(self).*kMember = value == nullptr || value == Py_None ? nullptr : new_reference(value);
  Py_XDECREF(before);
  return 0;
}
template <PyObject* FutureObject::*kMember>
PyObject* get_list(PyObject* self, void*) {
  PyObject*& list = of(self).*kMember;
  if (list == nullptr) list = PyList_New(0);
  return list != nullptr ? new_reference(list) : nullptr;
}
PyObject* get_condition(PyObject* self, void*) {
  if (of(self).condition == nullptr) {
    PyObject* const made = PyObject_CallNoArgs(condition_type);
    if (made == nullptr) return nullptr;
    if (of(self).condition == nullptr) {
      of(self).condition = made;
    } else {
      Py_DECREF(made);  // another thread was faster
    }
  }
  return new_reference(of(self).condition);
}
PyObject* get_state(PyObject* self, void*) {
  return new_reference(state_names[static_cast<std::size_t>(of(self).state)]);
}
int set_state(PyObject* self, PyObject* value, void*) {
  for (std::size_t i = 0; value != nullptr && PyUnicode_Check(value) != 0 && i < kStates; ++i) {
    if (PyUnicode_Compare(value, state_names[i]) != 0) continue;
    const State state = static_cast<State>(i);
    if (state >= State::cancelled) {
      make_final(of(self), state);
    } else {
      of(self).state = state;
    }
    return 0;
  }
  PyErr_Format(PyExc_ValueError, "not the state of a future: %R", value != nullptr ? value : Py_None);
  return -1;
}

PyGetSetDef properties[] = {
    {"_state", &get_state, &set_state, nullptr, nullptr},
    {"_condition", &get_condition, &set_object<&FutureObject::condition>, nullptr, nullptr},
    {"_result", &get_object<&FutureObject::result>, &set_object<&FutureObject::result>, nullptr, nullptr},
    {"_exception", &get_object<&FutureObject::exception>, &set_object<&FutureObject::exception>, nullptr,
     nullptr},
    {"_waiters", &get_list<&FutureObject::waiters>, &set_object<&FutureObject::waiters>, nullptr, nullptr},
    {"_done_callbacks", &get_list<&FutureObject::callbacks>, &set_object<&FutureObject::callbacks>, nullptr,
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

// --- The object

PyObject* allocate(PyTypeObject* type) noexcept {
  PyObject* const self = type->tp_alloc(type, 0);
  if (self != nullptr) ::new (static_cast<void*>(&of(self).task)) TaskHandle<void>();
  return self;
}
PyObject* future_new(PyTypeObject* type, PyObject*, PyObject*) { return allocate(type); }
int future_init(PyObject*, PyObject* args, PyObject* names) {
  if (PyTuple_GET_SIZE(args) == 0 && (names == nullptr || PyDict_GET_SIZE(names) == 0)) return 0;
  PyErr_SetString(PyExc_TypeError, "a future takes no arguments");
  return -1;
}

int future_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(of(self).result);
  Py_VISIT(of(self).exception);
  Py_VISIT(of(self).condition);
  Py_VISIT(of(self).waiters);
  Py_VISIT(of(self).callbacks);
  return 0;
}
int future_clear(PyObject* self) {
  Py_CLEAR(of(self).result);
  Py_CLEAR(of(self).exception);
  Py_CLEAR(of(self).condition);
  Py_CLEAR(of(self).waiters);
  Py_CLEAR(of(self).callbacks);
  return 0;
}
void future_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  future_clear(self);
  of(self).task.~TaskHandle<void>();
  delete of(self).woken;
  type->tp_free(self);
  Py_DECREF(type);
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("What a future of this library adds to the standard one.")},
    {Py_tp_new, reinterpret_cast<void*>(&future_new)},
    {Py_tp_init, reinterpret_cast<void*>(&future_init)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
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
  const py::module_ futures = py::module_::import("concurrent.futures._base");
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
  condition_type = take(py::module_::import("threading"), "Condition");
  for (std::size_t i = 0; i < kStates; ++i) {
    state_names[i] = take(futures, kStateNames[i]);
  }
  Reason reason;
  reason.message = "a future is final";
  woken_reason = new detail::SharedReason(std::move(reason));
}

}  // namespace

PyObject* new_future() noexcept {
  if (future_type == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "import threadgroup_core first");
    return nullptr;
  }
  return allocate(reinterpret_cast<PyTypeObject*>(future_type));
}

void set_task(PyObject* future, TaskHandle<void> task) noexcept { of(future).task = std::move(task); }

FutureBegin begin_future(PyObject* self) {
  FutureObject& future = of(self);
  if (future.condition == nullptr && future.state == State::pending) {
    future.state = State::running;
    return FutureBegin::run;
  }
  if (future.condition == nullptr && future.state == State::cancelled) {
    future.state = State::notified;
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
  if (of(self).state == State::pending) {
    const Ref cancelled = Ref::steal(future_cancel(self, nullptr));
    if (cancelled.get() == nullptr) return false;
  }
  return of(self).state != State::cancelled || begin_future(self) != FutureBegin::error;
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
