// SPDX-License-Identifier: Apache-2.0
// The parts of a future: its state, the attributes that the standard library uses, and its life.
#include "future_object.hpp"

#include <new>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/task_handle.hpp>

namespace tg::python {

namespace {

constexpr std::size_t kStates = 5;
constexpr const char* kStateNames[kStates] = {"PENDING", "RUNNING", "CANCELLED", "CANCELLED_AND_NOTIFIED",
                                              "FINISHED"};

PyObject* state_names[kStates];
PyObject* condition_type = nullptr;
PyObject* lock_type = nullptr;  // of Python, whatever `threading` has: a stop must not end the wait for it
const detail::SharedReason* woken_reason = nullptr;

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
  PyObject* const list = list_in(of(self).*kMember);
  return list != nullptr ? new_reference(list) : nullptr;
}
PyObject* get_condition(PyObject* self, void*) {
  if (of(self).condition == nullptr) {
    const Ref lock = Ref::steal(PyObject_CallNoArgs(lock_type));
    if (lock.get() == nullptr) return nullptr;
    PyObject* const made = PyObject_CallOneArg(condition_type, lock.get());
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
    const FutureState state = static_cast<FutureState>(i);
    if (state >= FutureState::cancelled) {
      make_final(of(self), state);
    } else {
      of(self).state = state;
    }
    return 0;
  }
  PyErr_Format(PyExc_ValueError, "not the state of a future: %R", value != nullptr ? value : Py_None);
  return -1;
}

}  // namespace

PyGetSetDef future_attributes[] = {
    {"_state", &get_state, &set_state, nullptr, nullptr},
    {"_condition", &get_condition, &set_object<&FutureObject::condition>, nullptr, nullptr},
    {"_result", &get_object<&FutureObject::result>, &set_object<&FutureObject::result>, nullptr, nullptr},
    {"_exception", &get_object<&FutureObject::exception>, &set_object<&FutureObject::exception>, nullptr,
     nullptr},
    {"_waiters", &get_list<&FutureObject::waiters>, &set_object<&FutureObject::waiters>, nullptr, nullptr},
    {"_done_callbacks", &get_list<&FutureObject::callbacks>, &set_object<&FutureObject::callbacks>, nullptr,
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyObject* list_in(PyObject*& place) noexcept {
  if (place == nullptr) {
    PyObject* const made = PyList_New(0);
    if (made == nullptr || place == nullptr) {
      place = made;
    } else {
      Py_DECREF(made);  // another thread was faster
    }
  }
  return place;
}

void make_final(FutureObject& future, FutureState state) noexcept {
  future.state = state;
  if (future.woken == nullptr || future.woken->is_set()) return;
  woken_reason->add_references(1);
  if (!future.woken->mark(woken_reason)) {
    woken_reason->release();
  } else if (future.woken->is_watched()) {
    future.woken->release_waiters();
  }
}

// --- The object ---

PyObject* allocate_future(PyTypeObject* type) noexcept {
  PyObject* const self = type->tp_alloc(type, 0);
  if (self != nullptr) ::new (static_cast<void*>(&of(self).task)) TaskHandle<void>();
  return self;
}
PyObject* future_new(PyTypeObject* type, PyObject*, PyObject*) { return allocate_future(type); }
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

void load_future_object(const py::object& futures) {
  condition_type = py::object(imported("threading").attr("Condition")).release().ptr();
  lock_type = py::object(imported("_thread").attr("RLock")).release().ptr();
  for (std::size_t i = 0; i < kStates; ++i) {
    state_names[i] = py::object(futures.attr(kStateNames[i])).release().ptr();
  }
  Reason reason;
  reason.message = "a future is final";
  woken_reason = new detail::SharedReason(std::move(reason));
}

}  // namespace tg::python
