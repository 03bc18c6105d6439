// SPDX-License-Identifier: Apache-2.0
// What the Python object of a group shares with its tasks, handles and workers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/options.hpp>

#include "gil.hpp"
#include "python_error.hpp"
#include "runtime/fork.hpp"

namespace tg::python {

class Worker;

/// Outlives the group's object as long as anything of it is left.
///
/// Thread safety: under the interpreter's lock.
class GroupState {
 public:
  GroupState(std::string shown, const GroupOptions& options)
      : name(std::move(shown)),
        stops_on_failure(options.on_failure == OnFailure::set_event),
        has_limit(options.max_pending.has_value()) {}

  void add_reference() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }

  /// A worker begins to run tasks of the group, under a number that is its own meanwhile: a free one, or that
  /// of a worker that is idle, which is no longer listed then.
  std::size_t take_seat(Worker& worker) noexcept;
  /// The worker has no further task. It stays listed under its number as long as the group's object lives,
  /// unless it comes to serve another group or another worker comes to serve this one.
  void rest(std::size_t seat) noexcept {
    if (is_of_this_process()) seats_[seat].busy = false;
  }
  void wake(std::size_t seat) noexcept {
    if (is_of_this_process()) seats_[seat].busy = true;
  }
  void leave_seat(std::size_t seat) noexcept {
    if (is_of_this_process()) seats_[seat] = {};
  }
  // If not, the workers are in the parent.
  bool is_of_this_process() const noexcept { return generation_ == runtime::fork_generation(); }
  /// The group's object goes: none of its idle workers is listed any more, and none keeps what tasks left in
  /// `threading.local` objects.
  void object_goes() noexcept;

  std::string name;            // what the threads are named after
  PyObject* object = nullptr;  // the group, not owned; null once it goes
  KeptErrors errors;           // of its tasks
  std::uint64_t notices = 0;   // calls of `notify`
  const bool stops_on_failure;
  const bool has_limit;  // of pending tasks

 private:
  struct Seat {
    Worker* worker = nullptr;
    bool busy = false;
  };
  ~GroupState() = default;

  std::vector<Seat> seats_;
  const std::uint32_t generation_ = runtime::fork_generation();
  Py_ssize_t references_ = 1;
};

}  // namespace tg::python
