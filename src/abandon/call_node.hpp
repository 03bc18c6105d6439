// SPDX-License-Identifier: Apache-2.0
// The node of a call that may be abandoned.
#pragma once

#include <optional>
#include <string>

#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/snapshot.hpp>

#include "tree/node.hpp"
#include "tree/scope_entry.hpp"
#include "tree/stop_source.hpp"

namespace tg::inline v0::detail {

/// The node of a call: below the caller's innermost one, so a stop of the caller reaches what the call makes and waits
/// for. When the caller's group is gone, the node is handed to the one above, as any other.
///
/// Thread safety: everything from any thread.
/// Lifetime: counted, as any `Node`; the owner of the call calls `end` once.
class CallNode final : public Node, public runtime::InBlock {
 public:
  /// Makes one below the caller's innermost node. Throws `std::bad_alloc`.
  static CallNode& make(std::string&& name);
  /// Takes it out of the forest, and gives up the maker's reference.
  void end() noexcept;

  /// From here on snapshots show that the caller, whose path this is, has gone on, and no shutdown waits for the groups
  /// below.
  void abandon(std::string&& caller) noexcept;

  std::optional<AbandonedCall> abandoned(TimePoint now) const override;
  bool is_abandoned() const noexcept override;
  bool is_awaited_by_task() const noexcept override { return is_awaited_by_task_; }
  StopSource* stop_source() noexcept override { return &stop_source_; }
  void on_event_set() noexcept override { stop_source_.request_stop(*this); }

 private:
  friend class runtime::InBlock;
  explicit CallNode(std::string&& name)
      : Node(std::move(name), NodeKind::call), is_awaited_by_task_(task_waits_for_calls_of_caller()) {}
  ~CallNode() override = default;

  const bool is_awaited_by_task_;
  StopSource stop_source_;
  mutable Mutex mutex_;
  std::optional<std::string> caller_ TG_GUARDED_BY(mutex_);
  TimePoint abandoned_at_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::inline v0::detail
