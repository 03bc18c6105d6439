// SPDX-License-Identifier: Apache-2.0
// Looks into a picture of the forest, and draws it as text; and the controller, a face for the forest.
#include <threadgroup/snapshot.hpp>

#include <threadgroup/thread_utils.hpp>

#include "base/escaped.hpp"
#include "tree/counts_text.hpp"
#include "tree/forest.hpp"
#include "tree/task_context.hpp"

namespace tg {
inline namespace v0 {

const char* to_string(NodeKind kind) noexcept {
  switch (kind) {
    case NodeKind::main_thread:
      return "main_thread";
    case NodeKind::foreign_thread:
      return "foreign_thread";
    case NodeKind::group:
      return "group";
    case NodeKind::daemon:
      return "daemon";
    case NodeKind::scope:
      return "scope";
    case NodeKind::shield:
      return "shield";
    case NodeKind::call:
      return "call";
  }
  return "unknown";
}

const NodeSnapshot* ForestSnapshot::find(GroupId id) const {
  for (const NodeSnapshot& node : nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

const NodeSnapshot* ForestSnapshot::find(const std::string& name) const {
  for (const NodeSnapshot& node : nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

std::vector<const NodeSnapshot*> ForestSnapshot::roots() const {
  std::vector<const NodeSnapshot*> found;
  for (const NodeSnapshot& node : nodes) {
    if (!node.parent) found.push_back(&node);
  }
  return found;
}

std::vector<const NodeSnapshot*> ForestSnapshot::children(GroupId id) const {
  std::vector<const NodeSnapshot*> found;
  for (const NodeSnapshot& node : nodes) {
    if (node.parent == id) found.push_back(&node);
  }
  return found;
}

std::vector<const NodeSnapshot*> ForestSnapshot::abandoned() const {
  std::vector<const NodeSnapshot*> found;
  for (const NodeSnapshot& node : nodes) {
    if (node.abandoned) found.push_back(&node);
  }
  return found;
}

namespace {
// What a line says of the node behind its name.
std::string kind_label(const NodeSnapshot& node) {
  switch (node.kind) {
    case NodeKind::daemon:
    case NodeKind::scope:
    case NodeKind::shield:
      return std::string(" (") + to_string(node.kind) + ')';
    case NodeKind::call:
      return node.abandoned ? " (call, " + detail::describe_abandoned(*node.abandoned) + ')' : " (call)";
    default:
      return {};
  }
}
}  // namespace

std::string to_text(const ForestSnapshot& snapshot) {
  // Whether a node has a later sibling decides the shape of its branch, and of the lines below it.
  const std::size_t count = snapshot.nodes.size();
  std::vector<bool> has_later_sibling(count, false);
  std::vector<bool> seen_at_depth;
  for (std::size_t i = count; i-- > 0;) {
    const std::size_t depth = snapshot.nodes[i].depth;
    if (seen_at_depth.size() <= depth) seen_at_depth.resize(depth + 1, false);
    has_later_sibling[i] = seen_at_depth[depth];
    seen_at_depth[depth] = true;
    for (std::size_t deeper = depth + 1; deeper < seen_at_depth.size(); ++deeper)
      seen_at_depth[deeper] = false;
  }

  std::string text;
  std::vector<bool> open;  // for each depth, whether its line continues downwards
  for (std::size_t i = 0; i < count; ++i) {
    const NodeSnapshot& node = snapshot.nodes[i];
    open.resize(node.depth + 1, false);
    open[node.depth] = has_later_sibling[i];
    for (std::size_t depth = 1; depth < node.depth; ++depth) text += open[depth] ? "|   " : "    ";
    if (node.depth > 0) text += open[node.depth] ? "|-- " : "`-- ";
    text += detail::escaped(node.name + kind_label(node));
    const GroupStatistics& counts = node.counts;
    if (counts.total() > 0) {
      text += "  [" + std::to_string(counts.pending) + " pending, " +
              detail::escaped(detail::describe_running(counts.running, node.running)) + ", " +
              std::to_string(counts.done()) + " done";
      GroupStatistics without_success = counts;
      without_success.succeeded = 0;
      const std::string ends = detail::describe_ends(without_success);
      if (!ends.empty()) text += ": " + ends;
      text += ']';
    }
    if (node.reason) text += "  event: " + node.reason->str();
    if (node.stop) text += detail::escaped(detail::describe_slow_stop(*node.stop));
    text += '\n';
  }
  return text;
}

// --- The controller ---

namespace {
std::vector<GroupId> ids(const std::vector<const NodeSnapshot*>& nodes) {
  std::vector<GroupId> found;
  found.reserve(nodes.size());
  for (const NodeSnapshot* node : nodes) found.push_back(node->id);
  return found;
}
}  // namespace

constinit ThreadEventsController ThreadEventsController::only_;

ForestSnapshot ThreadEventsController::snapshot() const { return detail::Forest::instance().snapshot(); }

std::vector<GroupId> ThreadEventsController::roots() const { return ids(snapshot().roots()); }

std::optional<GroupId> ThreadEventsController::parent(GroupId group) const {
  const ForestSnapshot now = snapshot();
  const NodeSnapshot* node = now.find(group);
  return node != nullptr ? node->parent : std::nullopt;
}

std::vector<GroupId> ThreadEventsController::children(GroupId group) const {
  return ids(snapshot().children(group));
}

void ThreadEventsController::set_all_events(std::string message, SourceLocation where) {
  set_all_events(ReasonKind::requested, std::move(message), where);
}

void ThreadEventsController::set_all_events(ReasonKind kind, std::string message, SourceLocation where) {
  Reason reason = detail::reason_from_here(kind, std::move(message), where);
  reason.origin_path = thread_utils::current_path();
  detail::Forest::instance().set_all_events(std::move(reason));
}

void ThreadEventsController::set_exit_grace(Duration grace) {
  detail::Forest::instance().set_exit_grace(grace);
}

void ThreadEventsController::set_destructor_warning(Duration after) {
  detail::Forest::instance().set_destructor_warning(after);
}

}  // namespace v0
}  // namespace tg
