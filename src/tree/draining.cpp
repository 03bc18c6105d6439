// SPDX-License-Identifier: Apache-2.0
// T6 to T9 are in the header.
#include "tree/draining.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include <threadgroup/detail/mutex.hpp>

#include "base/planted.hpp"
#include "tree/forest_walk.hpp"
#include "tree/scope_entry.hpp"

namespace tg::inline v0::detail {

// The drain of a group and what is below it, or (null) of all groups. The first reason of a group stays.
struct Forest::Drain {
  const Node* const top;
  const ReasonPointer reason;
  Drain* next;
};

Forest::Drain* Forest::drain_of_locked(const Node* top) const noexcept {
  Drain* drain = first_drain_;
  while (drain != nullptr && drain->top != top) drain = drain->next;
  return drain;
}

void Forest::forget_drain_locked(const Node* top) noexcept {
  for (Drain** link = &first_drain_; *link != nullptr; link = &(*link)->next) {
    if ((*link)->top != top) continue;
    delete std::exchange(*link, (*link)->next);
    return;
  }
}

void Forest::forget_drains_locked() noexcept {
  while (first_drain_ != nullptr) delete std::exchange(first_drain_, first_drain_->next);
}

void Forest::begin_draining(Node* top, const ReasonPointer& reason) {
  MutexLock lock(mutex_);
  top != nullptr ? reveal_below_locked(*top) : reveal_all_locked();
  if (top == nullptr) forget_drain_locked(nullptr);  // there may have been one before
  if (drain_of_locked(top) == nullptr) first_drain_ = new Drain{top, reason, first_drain_};
  visit_locked(top, Walk::everything, [](Node& node) {
    node.event().begin_draining();
    if (!TG_PLANTED(drain_does_not_pass_the_adders)) node.pass_adders();  // T6
  });
}

// `flow_is_at`: the group whose task the flow runs, or the call in which it is; null if it is in neither.
bool Forest::is_inside_locked(const Node* flow_is_at, const Node& group, const Node* top) const noexcept {
  if (flow_is_at == nullptr) return false;
  const Node* at = flow_is_at;
  while (at != nullptr && at != top && at->kind() != NodeKind::call) at = at->parent();
  if (at == top) return true;
  const bool is_own = at != nullptr && is_below_locked(&group, at);
  return (is_own || TG_PLANTED(drain_trusts_what_may_be_left)) && is_below_locked(at, top);
}

ReasonPointer Forest::reason_to_refuse(const Node& node) {
  const Node* const flow_is_at = busy_node_of_caller();
  MutexLock lock(mutex_);
  // The innermost one: what is inside of it is inside of the others, too.
  const Node* top = &node;
  const Drain* drain = drain_of_locked(top);
  while (drain == nullptr && top != nullptr) {
    top = top->parent();
    drain = drain_of_locked(top);
  }
  if (drain == nullptr || is_inside_locked(flow_is_at, node, top)) return {};
  return drain->reason;
}

bool Forest::is_quiet(Node* top) {
  MutexLock lock(mutex_);
  top != nullptr ? reveal_below_locked(*top) : reveal_all_locked();
  const auto look = [&]() TG_REQUIRES(mutex_) {
    std::uint64_t tasks = 0;
    bool idle = true;
    visit_locked(top, Walk::without_left_behind, [&](const Node& node) {
      const GroupStatistics counts = node.statistics();
      idle = idle && counts.idle();
      tasks += counts.total();
    });
    return std::pair(idle, tasks);
  };
  const auto first = look();
  return first.first && (TG_PLANTED(drain_looks_once) || look() == first);
}

std::vector<Node*> Forest::groups_below(Node* top) {
  std::vector<Node*> nodes;
  MutexLock lock(mutex_);
  top != nullptr ? reveal_below_locked(*top) : reveal_all_locked();
  try {
    visit_locked(top, Walk::without_left_behind, [&](Node& node) {
      if (node.has_no_tasks()) return;
      nodes.push_back(&node);  // first: it may throw
      if (!node.try_add_reference()) nodes.pop_back();
    });
  } catch (...) {
    lock.unlock();
    for (Node* node : nodes) node->release();
    throw;
  }
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

void Subtree::look() {
  const std::vector<Node*> found = Forest::instance().groups_below(top_);
  std::vector<Node*> fresh;
  try {
    fresh.reserve(found.size());
    nodes_.reserve(nodes_.size() + found.size());
    known_.reserve(known_.size() + found.size());
  } catch (...) {
    for (Node* node : found) node->release();
    throw;
  }
  for (Node* node : found) {
    if (std::binary_search(known_.begin(), known_.end(), node, std::less<>())) node->release();
    else fresh.push_back(node);
  }
  // The new ones first: they are below those that were there before.
  nodes_.insert(nodes_.begin(), fresh.begin(), fresh.end());
  known_.insert(known_.end(), fresh.begin(), fresh.end());
  std::sort(known_.begin(), known_.end(), std::less<>());
}

}  // namespace tg::inline v0::detail
