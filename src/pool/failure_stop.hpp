// SPDX-License-Identifier: Apache-2.0
// The stop of a group at the first failure, for groups that want it.
#pragma once

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/task.hpp>
#include <threadgroup/options.hpp>

#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Sets the group's event when a task has failed, if the group's options say so.
///
/// Guarantees: the event is set when `stop` returns, also if several tasks fail at the same moment.
/// Thread safety: everything from any thread, with no lock held.
class FailureStop {
 public:
  FailureStop(Node& node, OnFailure on_failure);
  ~FailureStop();
  FailureStop(const FailureStop&) = delete;
  FailureStop& operator=(const FailureStop&) = delete;

  void stop(const Task& failed) noexcept;
  bool keeps_going() const noexcept { return on_failure_ == OnFailure::keep_going; }

 private:
  Node& node_;
  const OnFailure on_failure_;
  // Made beforehand, for the first failure. Atomic: several tasks may fail at the same moment.
  Atomic<SharedReason*> reason_;
};

}  // namespace tg::inline v0::detail
