// SPDX-License-Identifier: Apache-2.0
// The controller: a face for the forest.
#include <threadgroup/tree/controller.hpp>
#include <threadgroup/tree/forest.hpp>
#include <threadgroup/tree/thread_utils.hpp>

namespace tg {

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

}  // namespace tg
