// SPDX-License-Identifier: Apache-2.0
// The nodes of scopes and shields.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/duration.hpp>

#include "tree/node.hpp"
#include "tree/stop_source.hpp"
#include "tree/time_limits.hpp"

namespace tg::inline v0::detail {

/// The node of a scope: an event without tasks.
///
/// Lifetime: counted, as any `Node`; its maker calls `end` once.
class ScopeNode final : public Node, public runtime::InBlock {
 public:
  /// Makes one below the caller's innermost node. Its event is set after the limit, if there is one. Throws
  /// `std::bad_alloc`, or `std::system_error` if the flow that waits for limits cannot be started.
  static ScopeNode& make(std::string&& name, std::optional<Duration> limit);
  /// Takes it out of the forest, and gives up the maker's reference.
  void end() noexcept;

  StopSource* stop_source() noexcept override { return &stop_source_; }
  void on_event_set() noexcept override { stop_source_.request_stop(*this); }

 private:
  friend class runtime::InBlock;
  ScopeNode(std::string&& name, bool is_time_limited)
      : Node(std::move(name), NodeKind::scope, is_time_limited) {}
  ~ScopeNode() override = default;

  std::optional<TimeLimit> limit_;  // the maker's
  StopSource stop_source_;
};

/// The node of a shield. An event that is set above it begins its grace instead of setting its own.
///
/// Lifetime: as for `ScopeNode`.
class ShieldNode final : public Node, public runtime::InBlock {
 public:
  /// Makes one below the caller's innermost node. Throws `std::bad_alloc`.
  static ShieldNode& make(std::string&& name, Duration grace);
  void end() noexcept;

  bool hold_back_locked(const SharedReason& reason, bool will_be_called) noexcept override;
  bool is_in_grace() const noexcept override { return held_back_.load(std::memory_order_relaxed) != nullptr; }
  void begin_grace() noexcept override;
  StopSource* stop_source() noexcept override { return &stop_source_; }
  void on_event_set() noexcept override { stop_source_.request_stop(*this); }

 private:
  friend class runtime::InBlock;
  ShieldNode(std::string&& name, Duration grace)
      : Node(std::move(name), NodeKind::shield), grace_(grace), limit_(*this) {}
  ~ShieldNode() override;

  const Duration grace_;
  // The reason of the stop that is held back; a reference. Atomic: written under the forest's lock, read without it.
  Atomic<const SharedReason*> held_back_{nullptr};
  bool begins_at_birth_ = false;  // the maker's: the node above was set as this one was linked
  TimeLimit limit_;               // of the grace
  StopSource stop_source_;
};

}  // namespace tg::inline v0::detail
