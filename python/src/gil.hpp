// SPDX-License-Identifier: Apache-2.0
// Taking and giving back the interpreter's lock, also from threads that outlive the interpreter.
#pragma once

#include <Python.h>
#include <cxxabi.h>

#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/event/event.hpp>

namespace tg::python {

/// Stops this thread for good: the interpreter is going away under it, and whatever it did next would be
/// wrong.
[[noreturn]] void park_for_ever() noexcept;

/// Takes the lock back for a thread that gave it away. Parks for ever once the interpreter is going.
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
    park_for_ever();
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

/// What the workers of one Python group share: its name, and the numbers that their threads carry.
///
/// Thread safety: under the interpreter's lock.
struct GroupState {
  explicit GroupState(std::string shown) : name(std::move(shown)) {}
  std::string name;
  std::vector<bool> numbers;  // those in use
  std::uint64_t notices = 0;  // how often somebody said `notify`
  Py_ssize_t references = 1;

  void add_reference() noexcept { ++references; }
  void release() noexcept {
    if (--references == 0) delete this;
  }
};

/// Makes the calling worker hold the lock for a scope and beyond, with a thread state that lives as long as
/// the thread, and shows the thread in `threading` under the group's name. It keeps the lock from task to
/// task, until it has no further one or others have waited for 5 ms. False once the interpreter is going.
///
/// A task that waits for another one may be given that one to run on its own stack. It has given the lock
/// away then, and has to find it given away when the other is done.
class WorkerTurn {
 public:
  explicit WorkerTurn(GroupState& group) noexcept;
  ~WorkerTurn() {
    if (nested_) PyEval_SaveThread();
  }
  WorkerTurn(const WorkerTurn&) = delete;
  WorkerTurn& operator=(const WorkerTurn&) = delete;
  explicit operator bool() const noexcept { return entered_; }

 private:
  bool nested_ = false;
  bool entered_ = false;
};

/// Whether Python code may still run.
bool interpreter_is_open() noexcept;

/// Called once before the interpreter goes: stops and awaits what is left, then closes Python to the workers.
void close_interpreter() noexcept;

/// Loads what this file needs of `threading`; false with an error set.
bool init_gil();

}  // namespace tg::python
