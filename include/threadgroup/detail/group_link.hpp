// SPDX-License-Identifier: Apache-2.0
// Adds tasks to a group that may be destroyed meanwhile.
#pragma once

#include <stop_token>
#include <string>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>

namespace tg::inline v0::detail {

class GroupCore;

/// A reference to a group that does not keep the group's object alive.
///
///     GroupLink link = group.link();
///     if (!link.closed()) link.add_task("name", f);
///
/// Guarantees: a task that is added while the group is being destroyed is run, skipped or refused.
/// Thread safety: everything from any thread.
/// Lifetime: may outlive the group.
class TG_EXPORT GroupLink {
 public:
  /// Requires that the group's object is alive.
  explicit GroupLink(GroupCore& core);
  GroupLink(const GroupLink&) = delete;
  GroupLink& operator=(const GroupLink&) = delete;
  ~GroupLink();

  const std::string& name() const noexcept;
  /// True if the group's object has been destroyed, or is being destroyed.
  bool closed() const noexcept;
  /// True if the process was forked from the one that made the group.
  bool forked() const noexcept;
  const std::stop_token& stop_token() const noexcept { return stop_token_; }

  /// As `ThreadGroup::add_task`, without a handle. A closed group skips the task.
  void add_task(std::string task_name, UniqueFunction<void()> run);

 private:
  GroupCore& core_;                   // one reference
  const std::stop_token stop_token_;  // making it marks the event as watched; `~ThreadGroup` relies on that
};

}  // namespace tg::inline v0::detail
