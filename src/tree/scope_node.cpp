// SPDX-License-Identifier: Apache-2.0
// How the nodes of scopes are linked and unlinked, and the grace of a shield.
#include "tree/scope_node.hpp"

#include <new>
#include <system_error>
#include <utility>

#include "base/planted.hpp"
#include "tree/forest.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

namespace {
// Most scopes have neither children nor other owners when they end.
void take_out(Node& node) noexcept {
  switch (Forest::unlink_leaf(node)) {
    case Forest::Unlinked::has_children:
      Forest::instance().unlink(node);
      break;
    case Forest::Unlinked::unseen:
      Forest::drop_core(node);
      break;
    default:
      break;
  }
  node.release();
}
}  // namespace

// --- Scopes ---

ScopeNode& ScopeNode::make(std::string&& name, std::optional<Duration> limit) {
  const bool ends = limit && !limit->is_forever();
  ScopeNode* const scope = runtime::InBlock::make<ScopeNode>(std::move(name), ends);
  try {
    Forest::link(*scope);
    if (ends && *limit <= Duration()) {
      Reason reason = reason_from_here(ReasonKind::deadline, to_string(*limit), {});
      Forest::instance().set_event(*scope, std::move(reason));
    } else if (ends) {
      scope->limit_.emplace(*scope, *limit);
    }
  } catch (...) {
    scope->release();
    throw;
  }
  return *scope;
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
  ShieldNode* const shield = runtime::InBlock::make<ShieldNode>(std::move(name), grace);
  try {
    Forest::link(*shield);
  } catch (...) {
    shield->release();
    throw;
  }
  if (shield->begins_at_birth_ && !TG_PLANTED(shield_trusts_those_who_mark)) shield->begin_grace();
  return *shield;
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
