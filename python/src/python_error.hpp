// SPDX-License-Identifier: Apache-2.0
// A Python exception on its way through C++.
#pragma once

#include <exception>
#include <memory>
#include <string>

#include "gil.hpp"

namespace tg::python {

class GroupState;
class KeptErrors;

/// Takes the raised exception from the interpreter, which holds one.
Ref take_raised() noexcept;
/// Raises the exception (again). Requires the interpreter's lock.
void raise_again(PyObject* exception) noexcept;
/// Drops the raised error if it is a `KeyboardInterrupt` on the main thread, and has the interpreter raise it
/// again as soon as it continues there. False if it is another one.
bool rearm_interrupt() noexcept;
/// For an error that cannot be raised where it is: what `rearm_interrupt` does, or else what Python does with
/// the error of a `__del__`. `where` is what raised it.
void report_unraisable(PyObject* where) noexcept;

/// What Python code raised. The text is made when first asked for.
///
/// An exception that no task raised is owned by the object. One that ended a task is kept by the task's group
/// until a handle, a join or the handler for unseen failures has delivered it, and by the task's handle: both
/// are visited by the garbage collector, which cannot see into a `std::exception_ptr`.
///
/// Thread safety: `what` from any thread, the rest under the interpreter's lock.
class PythonError : public std::exception {
 public:
  static PythonError fetch() { return PythonError(take_raised()); }
  explicit PythonError(Ref exception) : shared_(std::make_shared<Shared>(std::move(exception))) {}

  const char* what() const noexcept override;
  /// Null once it was delivered and its group has gone.
  PyObject* exception() const noexcept { return shared_->exception; }
  void restore() const noexcept;

  /// It ended a task of the group. `may_be_reason`: the group may have been stopped because of it.
  void ended_task_of(GroupState& group, bool may_be_reason) noexcept;
  /// Python code has it now.
  void delivered() const noexcept;

 private:
  friend class KeptErrors;
  struct Shared {
    explicit Shared(Ref e) noexcept : exception(e.release()) {}
    ~Shared();
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    void leave_group() noexcept;

    PyObject* exception;  // owned; null when dropped
    KeptErrors* keeper = nullptr;
    Shared* previous = nullptr;
    Shared* next = nullptr;
    bool may_be_reason = false;
    bool is_delivered = false;
    bool is_described = false;
    std::string text;
  };
  std::shared_ptr<Shared> shared_;
};

/// The exceptions of a group's tasks that are still needed.
///
/// Thread safety: under the interpreter's lock.
class KeptErrors {
 public:
  KeptErrors() = default;
  KeptErrors(const KeptErrors&) = delete;
  KeptErrors& operator=(const KeptErrors&) = delete;
  ~KeptErrors();

  /// For the garbage collector.
  int traverse(visitproc visit, void* arg) const noexcept;
  bool has_undelivered() const noexcept;
  /// Drops those that were delivered. The others will be.
  void drop_delivered() noexcept;

 private:
  friend class PythonError;
  PythonError::Shared* first_ = nullptr;
};

}  // namespace tg::python
