// SPDX-License-Identifier: Apache-2.0
// The limit of a scope, and the grace of a shield.
#include "tree/scope_node.hpp"

#include <exception>
#include <utility>

#include "base/planted.hpp"
#include "tree/forest.hpp"
#include "tree/linked_node.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

// --- Scopes ---

ScopeNode& ScopeNode::make(std::string&& name, std::optional<Duration> limit) {
  const bool ends = limit && !limit->is_forever();
  NodeReference<ScopeNode> scope = make_linked<ScopeNode>(std::move(name), ends);
  if (ends && *limit <= Duration()) {
    Reason reason = reason_from_here(ReasonKind::deadline, to_string(*limit), {});
    Forest::instance().set_event(*scope, std::move(reason));
  } else if (ends) {
    scope->limit_.emplace(*scope, *limit);
  }
  return *scope.release();
}

void ScopeNode::end() noexcept {
  limit_.reset();
  take_out(*this);
}

// --- Shields ---

ShieldNode::~ShieldNode() {
  if (const SharedReason* reason = held_back_.load(std::memory_order_relaxed)) reason->release();
}

ShieldNode& ShieldNode::make(std::string&& name, Duration grace) {
  ShieldNode& shield = *make_linked<ShieldNode>(std::move(name), grace).release();
  if (shield.begins_at_birth_ && !TG_PLANTED(shield_trusts_those_who_mark)) shield.begin_grace();
  return shield;
}

void ShieldNode::end() noexcept {
  limit_.end();  // permanently: a flow that has held a stop back may be about to begin the grace
  take_out(*this);
}

bool ShieldNode::hold_back_locked(const SharedReason& reason, bool will_be_called) noexcept {
  if (held_back_.load(std::memory_order_relaxed) != nullptr) return false;
  if (!will_be_called) begins_at_birth_ = true;  // this is the maker's flow
  reason.add_references(1);
  held_back_.store(&reason, std::memory_order_release);
  return true;
}

void ShieldNode::begin_grace() noexcept {
  const SharedReason& reason = *held_back_.load(std::memory_order_acquire);
  try {
    limit_.begin(grace_, reason);
  } catch (const std::exception&) {  // no thread would end it
    Forest::instance().set_event(*this, reason);
  }
}

}  // namespace tg::inline v0::detail
