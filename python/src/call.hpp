// SPDX-License-Identifier: Apache-2.0
// One Python call as a task: what is called, with what, in which context, and what became of it.
#pragma once

#include "group_state.hpp"
#include "worker.hpp"

namespace tg::python {

/// What learns how a call ended, besides the C++ task.
enum class Teller {
  none,
  handle,  ///< a `TaskHandle`: its outcome
  future,  ///< a `concurrent.futures.Future`; one whose call is dropped unmade is cancelled
};

/// A call that is made on a worker.
///
/// Requires: built under the interpreter's lock; moved and destroyed anywhere.
class PyCall {
 public:
  /// `stack` holds the positional arguments and then the values of `names` (a tuple, or null), as in a
  /// vectorcall. `told` is null for `Teller::none`.
  PyCall(GroupState& group, PyObject* callable, Teller teller, PyObject* told, PyObject* const* stack,
         Py_ssize_t positional, PyObject* names);
  PyCall(PyCall&& other) noexcept;
  PyCall& operator=(PyCall&&) = delete;
  ~PyCall();

  void operator()();

 private:
  // One is the spare place that a vectorcall wants before the first argument.
  static constexpr Py_ssize_t kInside = 4;

  PyObject** places() noexcept { return total_ < kInside ? inside_ : outside_; }
  Ref call() noexcept;
  bool call_for_future();
  [[noreturn]] void throw_raised();
  void drop_references() noexcept;

  PyObject* callable_ = nullptr;  // null: moved from
  PyObject* context_ = nullptr;
  PyObject* told_ = nullptr;
  PyObject* names_ = nullptr;
  GroupState* group_ = nullptr;
  Py_ssize_t positional_ = 0;
  Py_ssize_t total_ = 0;
  Teller teller_;
  bool begun_ = false;
  union {
    PyObject* inside_[kInside];
    PyObject** outside_;
  };
};

}  // namespace tg::python
