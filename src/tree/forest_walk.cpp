// SPDX-License-Identifier: Apache-2.0
// Looking at the forest: upwards from a node, and downwards through a tree.
#include "tree/forest_walk.hpp"

#include <string>
#include <utility>
#include <vector>

#include <threadgroup/snapshot.hpp>

#include "runtime/steady_clock.hpp"

namespace tg::inline v0::detail {

std::string Forest::path_locked(const Node& node) const {
  std::vector<const Node*> nodes;
  for (const Node* n = &node; n != nullptr; n = n->parent()) nodes.push_back(n);
  std::string path;
  for (auto n = nodes.rbegin(); n != nodes.rend(); ++n) {
    if (!path.empty()) path += '/';
    path += (*n)->shown_name();
  }
  return path;
}

std::string Forest::path(const Node& node) const {
  MutexLock lock(mutex_);
  return path_locked(node);
}

// Both may be null: above all roots.
bool Forest::is_below_locked(const Node* node, const Node* top) const noexcept {
  while (node != nullptr && node != top) node = node->parent();
  return node == top;
}

bool Forest::is_same_or_descendant(const Node& node, const Node& ancestor) const {
  if (&node == &ancestor || node.parent() == &ancestor) return true;  // mostly; no lock for these
  if (ancestor.parent() == &node) return false;
  MutexLock lock(mutex_);
  return is_below_locked(&node, &ancestor);
}

bool Forest::is_inside_call(const Node& node) const {
  MutexLock lock(mutex_);
  for (const Node* n = &node; n != nullptr; n = n->parent()) {
    if (n->kind() == NodeKind::call) return true;
  }
  return false;
}

bool Forest::is_left_behind(const Node& node, const Node* top) const {
  MutexLock lock(mutex_);
  for (const Node* n = &node; n != nullptr && n != top; n = n->parent()) {
    if (n->is_abandoned()) return true;
  }
  return false;
}

// A caller that is stopped leaves its call behind, now or soon: its event was set together with that of the call. That of a
// node in a shield below the call may still be unset.
bool Forest::is_awaited(const Node& node, const Node* top) const {
  if (top != nullptr && !is_same_or_descendant(node, *top)) return false;  // mostly; often without the lock
  MutexLock lock(mutex_);
  for (const Node* n = &node; n != top; n = n->parent()) {
    if (n == nullptr || (n->kind() == NodeKind::call && n->event().is_set())) return false;
  }
  return true;
}

bool Forest::has_children(const Node& node) {
  MutexLock lock(mutex_);
  reveal_children_locked(node);
  return node.core_->first_child != nullptr;
}

void Forest::append_snapshot_locked(Node& top, TimePoint now, ForestSnapshot& out) const {
  const auto is_hidden = [](const Node& n) { return n.is_thread_root() && n.core_->first_child == nullptr; };
  if (is_hidden(top)) return;
  std::size_t depth = 0;
  Node* node = &top;
  for (;;) {
    NodeSnapshot shot;
    shot.id = node->id_;
    if (node->parent() != nullptr) shot.parent = node->parent()->id_;
    shot.depth = depth;
    shot.kind = node->kind_;
    shot.name = node->shown_name();
    if (const ReasonPointer reason = node->event().reason()) {
      shot.event_is_set = true;
      shot.reason = *reason;
      shot.stop = node->stop_latency();
    }
    shot.counts = node->statistics();
    if (shot.counts.running > 0) shot.running = node->running_tasks(now);
    shot.abandoned = node->abandoned(now);
    out.nodes.push_back(std::move(shot));
    node = next_in_walk_locked(*node, top, depth);
    if (node == nullptr) return;
  }
}

// The node that comes after this one when a tree is walked, each parent before its children; null at the end.
Node* Forest::next_in_walk_locked(const Node& from, const Node& top, std::size_t& depth) const {
  if (from.core_->first_child == nullptr) return next_after_subtree_locked(from, top, depth);
  ++depth;
  return from.core_->first_child->node;
}

// The same without what is below this one.
Node* Forest::next_after_subtree_locked(const Node& from, const Node& top, std::size_t& depth) const {
  const Node* node = &from;
  while (node != &top && node->core_->next_sibling == nullptr) {
    node = node->parent();
    --depth;
  }
  return node != &top ? node->core_->next_sibling->node : nullptr;
}

ForestSnapshot Forest::snapshot() {
  ForestSnapshot out;
  MutexLock lock(mutex_);
  reveal_all_locked();
  // One time for all groups: else a task could seem older than one that began before it.
  const TimePoint now = runtime::coarse_now();
  for (NodeCore* root = first_root_; root != nullptr; root = root->next_sibling)
    append_snapshot_locked(*root->node, now, out);
  return out;
}

std::vector<RunningTask> Forest::running_tasks(const Node& node) const {
  MutexLock lock(mutex_);
  return node.running_tasks(runtime::coarse_now());
}

}  // namespace tg::inline v0::detail
