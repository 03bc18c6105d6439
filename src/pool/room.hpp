// SPDX-License-Identifier: Apache-2.0
// How many tasks of a group may be pending, and the adders that wait for room.
#pragma once

#include <cstddef>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/unique_function.hpp>

#include "tree/node.hpp"
#include "tree/permits.hpp"

namespace tg::inline v0::detail {

/// The room for pending tasks: `GroupOptions::max_pending`.
///
/// An adder takes room for one task before it adds the task. It is given back when the task begins, is skipped,
/// or is not added after all. So no more tasks than the limit are pending at any moment, except those of the
/// callers that do not wait:
///
///   - a task of a group below, or a call of `abandonable` that a task of the group waits for, unless it is in a call
///     that is left behind: it cannot lend the slots of the tasks above that wait for it, and the pending tasks that
///     would make room need those slots
///   - a caller whose wait would close a cycle of waits
///   - a task of the group itself, while the system has no thread for any further worker of the group
///
/// A task of the group itself lends its slot while it waits. So there is a slot for the tasks that are
/// pending, and room as soon as one of them begins.
///
/// Thread safety: everything from any thread, with no lock held, except `waiting`.
class Room {
 public:
  explicit Room(std::size_t most) noexcept : room_(most) {}

  /// Takes room for one task if there is some and no other adder waits.
  bool try_take() noexcept { return room_.try_take(); }
  void take_anyway() noexcept { room_.take_anyway(); }
  void give_back(std::size_t tasks = 1) noexcept { room_.give_back(tasks); }
  std::size_t waiting() const noexcept { return room_.waiting(); }
  /// Waits for room for one task and takes it. If the group or the caller is stopped first, takes none and
  /// returns the reason. `is_stuck` says that no pending task of the group can begin.
  ReasonPointer take(Node& group, FunctionRef<bool()> is_stuck);

 private:
  Permits room_;
};

}  // namespace tg::inline v0::detail
