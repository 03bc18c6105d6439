// SPDX-License-Identifier: Apache-2.0
// Making, running and dropping Python calls.
#include "call.hpp"

#include <cstring>

#include <threadgroup/errors.hpp>

#include "convert.hpp"
#include "event/callers_task.hpp"
#include "future.hpp"
#include "handle.hpp"
#include "scope.hpp"

namespace tg::python {

PyCall::PyCall(GroupState& group, PyObject* callable, Teller teller, PyObject* told, PyObject* const* stack,
               Py_ssize_t positional, PyObject* names)
    : positional_(positional),
      total_(positional + (names != nullptr ? PyTuple_GET_SIZE(names) : 0)),
      teller_(teller) {
  if (total_ >= kInside) outside_ = new PyObject*[static_cast<std::size_t>(total_) + 1];
  context_ = PyContext_CopyCurrent();
  if (context_ == nullptr) {
    if (total_ >= kInside) delete[] outside_;
    throw PythonError::fetch();
  }
  PyObject** const to = places() + 1;
  for (Py_ssize_t i = 0; i < total_; ++i) {
    Py_INCREF(stack[i]);
    to[i] = stack[i];
  }
  Py_XINCREF(names);
  names_ = names;
  Py_XINCREF(told);
  told_ = told;
  Py_INCREF(callable);
  callable_ = callable;
  group.add_reference();
  group_ = &group;
}

PyCall::PyCall(PyCall&& other) noexcept {
  std::memcpy(static_cast<void*>(this), static_cast<const void*>(&other), sizeof *this);
  other.callable_ = nullptr;
}

PyCall::~PyCall() {
  if (callable_ == nullptr) return;
  if (GilIfOpen gil; gil) drop_references();
}

void PyCall::drop_references() noexcept {
  const ErrorsSaved saved;
  if (teller_ == Teller::future && !begun_) {
    // It will never run: the waits for the future end.
    if (!calling_python([this] { return drop_future(told_); })) report_unraisable(told_);
  }
  calling_python([this] {
    PyObject** const from = places() + 1;
    for (Py_ssize_t i = 0; i < total_; ++i) Py_DECREF(from[i]);
    Py_DECREF(callable_);
    Py_DECREF(context_);
    Py_XDECREF(names_);
    Py_XDECREF(told_);
  });
  if (total_ >= kInside) delete[] outside_;
  group_->release();
  callable_ = nullptr;
}

Ref PyCall::call() noexcept {
  return Ref::steal(calling_python([this]() -> PyObject* {
    if (PyContext_Enter(context_) != 0) return nullptr;
    PyObject* result =
        PyObject_Vectorcall(callable_, places() + 1,
                            static_cast<std::size_t>(positional_) | PY_VECTORCALL_ARGUMENTS_OFFSET, names_);
    if (PyContext_Exit(context_) != 0) Py_CLEAR(result);
    return result;
  }));
}

void PyCall::operator()() {
  const WorkerTurn turn(*group_);
  if (!turn) throw std::runtime_error("the Python interpreter has ended");
  const ScopesOfTask scopes;
  begun_ = true;
  if (teller_ == Teller::future) {
    if (!call_for_future()) throw_raised();
    return;
  }
  Ref result = call();
  if (result.get() == nullptr) throw_raised();
  if (teller_ == Teller::handle) set_outcome(told_, std::move(result));
}

void PyCall::throw_raised() {
  Ref raised = take_raised();
  if (teller_ == Teller::handle) set_outcome(told_, Ref::borrow(raised.get()));
  const detail::Event* const event = detail::event_of_caller();
  const bool is_stopped = event != nullptr && event->is_set();
  if (is_stopped && is_python_stop(raised.get())) {
    throw Stopped("the task left by a Stopped", event->reason());  // a handle has the exception itself
  }
  PythonError error(std::move(raised));
  error.ended_task_of(*group_, group_->stops_on_failure && !is_stopped);
  throw error;
}

// False with an error set if the future itself did not work.
bool PyCall::call_for_future() {
  switch (calling_python([this] { return begin_future(told_); })) {
    case FutureBegin::error:
      return false;
    case FutureBegin::cancelled:
      return true;
    case FutureBegin::run:
      break;
  }
  const Ref result = call();
  if (result.get() != nullptr) {
    return calling_python([&] { return set_future_result(told_, result.get()); });
  }
  const Ref exception = take_raised();
  return calling_python([&] { return set_future_exception(told_, exception.get()); });
}

}  // namespace tg::python
