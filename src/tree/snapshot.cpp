// SPDX-License-Identifier: Apache-2.0
// Looks into a picture of the forest, and draws it as text; and the controller, a face for the forest.
#include <threadgroup/snapshot.hpp>

#include <unistd.h>

#include <fmt/format.h>

#include <threadgroup/thread_utils.hpp>

#include "base/escaped.hpp"
#include "tree/counts_text.hpp"
#include "tree/forest.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

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

std::string counts_label(const NodeSnapshot& node, const std::string& running) {
  const GroupStatistics& counts = node.counts;
  if (counts.total() == 0) return {};
  std::string text = "  [" + std::to_string(counts.pending) + " pending, " + detail::escaped(running) + ", " +
                     std::to_string(counts.done()) + " done";
  GroupStatistics without_success = counts;
  without_success.succeeded = 0;
  const std::string ends = detail::describe_ends(without_success);
  if (!ends.empty()) text += ": " + ends;
  return text + ']';
}

enum class Tasks : bool { in_the_line_of_their_group, on_lines_of_their_own };

std::string draw(const ForestSnapshot& snapshot, Tasks tasks) {
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
  const auto continue_lines = [&](std::size_t depths) {
    for (std::size_t depth = 1; depth < depths; ++depth) text += open[depth] ? "|   " : "    ";
  };
  for (std::size_t i = 0; i < count; ++i) {
    const NodeSnapshot& node = snapshot.nodes[i];
    open.resize(node.depth + 1, false);
    open[node.depth] = has_later_sibling[i];
    continue_lines(node.depth);
    if (node.depth > 0) text += open[node.depth] ? "|-- " : "`-- ";
    text += detail::escaped(node.name + kind_label(node));
    const bool apart = tasks == Tasks::on_lines_of_their_own;
    text += counts_label(node, detail::describe_running(node.counts.running,
                                                        apart ? std::vector<RunningTask>() : node.running));
    if (node.reason) text += "  event: " + node.reason->str();
    if (node.stop) text += detail::escaped(detail::describe_slow_stop(*node.stop));
    text += '\n';
    if (!apart) continue;
    const bool has_children = i + 1 < count && snapshot.nodes[i + 1].depth > node.depth;
    for (const RunningTask& task : node.running) {
      continue_lines(node.depth + 1);
      text += (has_children ? "|   - " : "- ") + detail::escaped(task.str()) + '\n';
    }
  }
  return text;
}
}  // namespace

std::string to_text(const ForestSnapshot& snapshot) {
  return draw(snapshot, Tasks::in_the_line_of_their_group);
}

std::string dump() {
  const ForestSnapshot snapshot = ThreadEventsController::instance().snapshot();
  const std::vector<std::string> deadlocks = detail::describe_deadlocks();
  std::size_t running = 0;
  std::size_t waiting = 0;
  std::size_t pending = 0;
  for (const NodeSnapshot& node : snapshot.nodes) {
    running += node.counts.running;
    pending += node.counts.pending;
    for (const RunningTask& task : node.running) waiting += task.waits_for.empty() ? 0 : 1;
  }
  std::string text =
      fmt::format("threadgroup: process {} runs {} task{}, {} of them wait{}; {} pending\n", ::getpid(),
                  running, running == 1 ? "" : "s", waiting, waiting == 1 ? "s" : "", pending) +
      draw(snapshot, Tasks::on_lines_of_their_own);
  for (const std::string& deadlock : deadlocks) text += "deadlock: " + detail::escaped(deadlock) + '\n';
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
