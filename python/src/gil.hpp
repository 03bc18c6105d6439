// SPDX-License-Identifier: Apache-2.0
// Taking and giving back the interpreter's lock, also from threads that outlive the interpreter.
#pragma once

#include <Python.h>
#include <cxxabi.h>

#include <exception>
#include <type_traits>
#include <utility>

#include <threadgroup/duration.hpp>

#include "event/event.hpp"

namespace tg::python {

/// Stops this thread: the interpreter is going away under it, and whatever it did next would be wrong.
[[noreturn]] void park_forever() noexcept;

/// Takes the lock back for a thread that gave it away. Parks forever once the interpreter is going.
///
/// CPython ends a thread that asks for the lock too late by `pthread_exit`, which unwinds our frames; those
/// that must not throw would abort the process. So that unwinding stops here.
void take_back(PyThreadState* state) noexcept;

/// Sleeps with the lock given away, for a duration or until the event is set; true after the whole sleep. A
/// thousand such sleepers are not woken all at once, only to wait for the lock: each one when it may have it.
bool sleep_without_gil(detail::Event& event, Duration d);

/// Calls `f` with the lock given away, so that the other threads run meanwhile.
template <class F>
auto without_gil(F&& f) {
  PyThreadState* const state = PyEval_SaveThread();
  std::exception_ptr error;
  if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
    try {
      f();
    } catch (...) {
      error = std::current_exception();
    }
    take_back(state);
    if (error) std::rethrow_exception(error);
  } else {
    std::invoke_result_t<F&> result{};
    try {
      result = f();
    } catch (...) {
      error = std::current_exception();
    }
    take_back(state);
    if (error) std::rethrow_exception(error);
    return result;
  }
}

/// Runs code that calls into Python: user code may give the lock away and ask for it when it is too late.
template <class F>
auto calling_python(F&& f) {
  try {
    return f();
  } catch (abi::__forced_unwind&) {
    park_forever();
  }
}

/// Holds the lock for a scope, on any thread, if the interpreter is still there.
///
///     if (GilIfOpen gil; gil) Py_DECREF(object);      // else it is leaked: the process is ending anyway
class GilIfOpen {
 public:
  GilIfOpen() noexcept;
  ~GilIfOpen();
  GilIfOpen(const GilIfOpen&) = delete;
  GilIfOpen& operator=(const GilIfOpen&) = delete;
  explicit operator bool() const noexcept { return how_ != How::not_held; }

 private:
  enum class How { not_held, held_before, taken };
  How how_ = How::not_held;
  PyGILState_STATE state_{};
};

/// Owns one reference to a Python object; may be destroyed on any thread.
class Ref {
 public:
  Ref() = default;
  static Ref steal(PyObject* object) noexcept { return Ref(object); }
  static Ref borrow(PyObject* object) noexcept {
    Py_XINCREF(object);
    return Ref(object);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ == nullptr) return;
    if (GilIfOpen gil; gil) Py_DECREF(object_);
  }
  PyObject* get() const noexcept { return object_; }
  PyObject* release() noexcept { return std::exchange(object_, nullptr); }

 private:
  explicit Ref(PyObject* object) noexcept : object_(object) {}
  PyObject* object_ = nullptr;
};

/// Keeps the error that is raised, if one is, out of the way of what runs in the scope.
class ErrorsSaved {
 public:
  ErrorsSaved() noexcept { PyErr_Fetch(&type_, &value_, &trace_); }
  ~ErrorsSaved() { PyErr_Restore(type_, value_, trace_); }
  ErrorsSaved(const ErrorsSaved&) = delete;
  ErrorsSaved& operator=(const ErrorsSaved&) = delete;

 private:
  PyObject *type_ = nullptr, *value_ = nullptr, *trace_ = nullptr;
};

/// For a thread that takes the lock and keeps it for longer: between the two calls the end of the interpreter
/// waits for it. False once the interpreter is going; then there is nothing to end.
bool begin_use() noexcept;
void end_use() noexcept;

/// Makes a thread state for the calling thread, which has none, and takes the lock.
void attach_thread() noexcept;

/// Whether Python code may still run.
bool interpreter_is_open() noexcept;

/// Called once before the interpreter goes: stops and awaits what is left, then closes Python to the workers.
void close_interpreter() noexcept;

void init_gil();

}  // namespace tg::python
