// SPDX-License-Identifier: Apache-2.0
// A node's birth and death.
#include <threadgroup/event/caller.hpp>
#include <threadgroup/tree/forest.hpp>
#include <threadgroup/tree/node.hpp>

#include "event/callers_slot.hpp"

namespace tg {

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
  }
  return "unknown";
}

namespace detail {

namespace {
std::stop_token token_of_calling_task() {
  const TaskContext* const task = TaskContext::current();
  return task != nullptr ? task->node->stop_token() : std::stop_token();
}
void lend_slot_of_calling_task(FunctionRef<void()> wait) {
  const PlaceLent lent(TaskContext::current());
  wait();
}
[[gnu::constructor]] void at_load() noexcept {
  token_of_caller_in_tree = &token_of_calling_task;
  slot_lender_in_tree = &lend_slot_of_calling_task;
}
}  // namespace

Node::Node(std::string&& name, NodeKind kind, bool time_limited)
    : kind_(kind), time_limited_(time_limited), name_(std::move(name)) {}

Node::~Node() {
  if (core_ != nullptr) Forest::instance().reclaim(core_);
}

void Node::destroy() noexcept {
  on_last_reference();
  // Before any part of it is destroyed: other flows may be reading it under the forest's lock. After the
  // unlink no flow finds it any more.
  if (linked_) Forest::instance().unlink(*this);
  delete this;
}

}  // namespace detail
}  // namespace tg
