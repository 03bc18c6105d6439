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
/// An adder takes a place before it adds its task. The place is given back when the task begins, is skipped,
/// or is not added after all. So no more tasks than the limit are pending at any moment, except those of the
/// callers that do not wait:
///
///   - a task of a group below: it cannot lend the slots of the tasks above that join its group, and the pending
///     tasks that would make room need those slots
///   - a caller whose wait would close a cycle of waits
///   - a task of the group itself, while the system has no thread for any further worker of the group
///
/// A task of the group itself lends its slot while it waits. So there is a slot for the tasks that are
/// pending, and room as soon as one of them begins.
///
/// Thread safety: everything from any thread; the caller holds no lock.
class Room {
 public:
  explicit Room(std::size_t most) noexcept : places_(most) {}

  /// Takes a place if there is one, and no other adder waits.
  bool try_take() noexcept { return places_.try_take(); }
  void take_anyway() noexcept { places_.take_anyway(); }
  void give_back(std::size_t places = 1) noexcept { places_.give_back(places); }
  std::size_t waiting() const noexcept { return places_.waiting(); }
  /// Waits for a place and takes it. If the group or the caller is stopped first, takes none and returns the
  /// reason. `is_stuck` says that no pending task of the group can begin.
  ReasonPointer take(Node& group, FunctionRef<bool()> is_stuck);

 private:
  Permits places_;
};

}  // namespace tg::inline v0::detail
