// SPDX-License-Identifier: Apache-2.0
// One Python call as a task: what is called, with what, in which context, and what became of it.
#pragma once

#include <atomic>
#include <exception>
#include <memory>

#include <threadgroup/threadgroup.hpp>
#include "gil.hpp"

namespace tg::python {

/// What a task raised. The text is made when first asked for.
class PythonError : public std::exception {
 public:
  /// Takes the raised exception from the interpreter, which holds one.
  static PythonError fetch();
  explicit PythonError(Ref exception) : shared_(std::make_shared<Shared>(std::move(exception))) {}

  const char* what() const noexcept override;
  PyObject* exception() const noexcept { return shared_->exception.get(); }
  /// Raises it (again).
  void restore() const noexcept;

 private:
  struct Shared {
    explicit Shared(Ref e) : exception(std::move(e)) {}
    Ref exception;
    std::string text;  // under the interpreter's lock
    bool described = false;
  };
  std::shared_ptr<Shared> shared_;
};

/// A call that is made on a worker.
///
/// With a future (`concurrent.futures.Future`) the outcome goes there; a call that is dropped unmade cancels
/// it. Requires: built under the interpreter's lock; moved and destroyed anywhere.
class PyCall {
 public:
  /// `stack` holds the positional arguments and then the values of `names` (a tuple, or null), as in a
  /// vectorcall.
  PyCall(GroupState& group, PyObject* callable, PyObject* future, PyObject* const* stack,
         Py_ssize_t positional, PyObject* names);
  PyCall(PyCall&& other) noexcept;
  PyCall& operator=(PyCall&&) = delete;
  ~PyCall();

  Ref operator()();

 private:
  static constexpr Py_ssize_t kInside =
      4;  // one is the spare place that a vectorcall wants before the first argument

  PyObject** places() noexcept { return total_ < kInside ? inside_ : outside_; }
  Ref call() noexcept;
  bool call_for_future();
  void drop_references() noexcept;

  PyObject* callable_ = nullptr;  // null: moved from
  PyObject* context_ = nullptr;
  PyObject* future_ = nullptr;
  PyObject* names_ = nullptr;
  GroupState* group_ = nullptr;
  Py_ssize_t positional_ = 0;
  Py_ssize_t total_ = 0;
  bool begun_ = false;
  union {
    PyObject* inside_[kInside];
    PyObject** outside_;
  };
};

}  // namespace tg::python
