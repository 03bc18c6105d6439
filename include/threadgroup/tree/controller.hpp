// SPDX-License-Identifier: Apache-2.0
// The view of all groups at once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <threadgroup/base/source_location.hpp>
#include <threadgroup/tree/snapshot.hpp>

namespace tg {

/// Knows every group of the process and how they hang together. It needs no calls for that: groups enter and
/// leave by themselves.
///
///     std::cout << to_text(ThreadEventsController::instance().snapshot());
///
/// Guarantees: a snapshot shows the links, events, reasons and counts of one moment; each group's counts add
/// up.
/// Thread safety: everything from any thread.
/// Lifetime: never destroyed.
class ThreadEventsController {
 public:
  static ThreadEventsController& instance() noexcept { return only_; }

  ForestSnapshot snapshot() const;
  std::vector<GroupId> roots() const;
  std::optional<GroupId> parent(GroupId group) const;  ///< none for a root and for a group that is gone
  std::vector<GroupId> children(GroupId group) const;

  /// Tells every group to stop. Groups made afterwards start afresh, unless they are made below one of these.
  void set_all_events(std::string message = {}, SourceLocation where = SourceLocation::current());
  void set_all_events(ReasonKind kind, std::string message, SourceLocation where = SourceLocation::current());

  /// How long the end of the process waits for tasks that still run; 2 s unless set.
  void set_exit_grace(Duration grace);
  /// How long a group's destructor waits for tasks that still run before it names them on stderr; 5 s unless
  /// set, and `Duration::max()` for never. It repeats that after twice the time, then four times, and so on.
  /// Throws `std::invalid_argument` for a time that is not above zero.
  void set_destructor_warning(Duration after);

 private:
  constexpr ThreadEventsController() = default;
  static ThreadEventsController only_;
};

}  // namespace tg
