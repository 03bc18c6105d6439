// SPDX-License-Identifier: Apache-2.0
// A thread of the library while it runs Python tasks.
//
// Invariants
//   X1. A worker that holds the interpreter's lock between two tasks takes only the library's own locks, and
//       no thread that holds one of those asks for the interpreter's.
//   X2. What tasks of one group leave in `threading.local` objects is gone before the worker runs a task of
//       another group.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/duration.hpp>

#include "gil.hpp"
#include "group_state.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::python {

/// The calling thread's ties to the interpreter: its thread state, what `threading` shows for it, and the
/// group whose tasks it runs. It belongs to the thread.
///
/// Thread safety: its own thread; `lose_seat` any thread that holds the interpreter's lock while the worker
/// is idle.
class Worker {
 public:
  ~Worker();

  /// It is in the middle of a task, which has given the lock away.
  bool waits() const noexcept { return holding_ && PyGILState_Check() == 0; }
  bool enter(GroupState& group) noexcept;
  /// Another worker has its number, or the group's object goes.
  void lose_seat() noexcept;

  static Worker& current() noexcept;

 private:
  static void leave_flow(runtime::Flow&) noexcept { current().leave(); }
  void leave() noexcept;
  void serve(GroupState& group) noexcept;
  void show(const GroupState& group) noexcept;
  void stop_serving() noexcept;
  void apply_hooks() noexcept;

  PyThreadState* state_ = nullptr;
  PyObject* thread_ = nullptr;   // what `threading.current_thread()` returns here
  PyObject* ident_ = nullptr;    // the key under which it is listed
  GroupState* group_ = nullptr;  // one reference; null without a seat
  std::size_t seat_ = 0;
  PyObject* trace_hook_ = nullptr;  // those of `threading` that are in force here; owned
  PyObject* profile_hook_ = nullptr;
  std::uint64_t hooks_seen_ = 0;  // the version of `threading` at the last look
  TimePoint since_;
  std::uint32_t generation_ = 0;
  bool holding_ = false;
};

/// Makes the calling worker hold the interpreter's lock for a scope and beyond, with a thread state that
/// lives as long as the thread, and shows the thread in `threading` under the group's name. It keeps the lock
/// from task to task, until it has no further one or others have waited for 5 ms. False once the interpreter
/// is going.
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

/// Loads what this file needs of `threading`; false with an error set.
bool init_worker();

}  // namespace tg::python
