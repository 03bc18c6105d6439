// SPDX-License-Identifier: Apache-2.0
// Attaching threads to groups.
#include <threadgroup/attached.hpp>

#include <stdexcept>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "group/group_core.hpp"
#include "tree/task_context.hpp"

namespace tg {
inline namespace v0 {

namespace {
// Returns the group's node with a reference.
detail::Node& node_to_attach_to(detail::GroupCore& core) {
  core.check_process("Attached");
  if (detail::TaskContext::current() != nullptr) {
    throw std::logic_error("Attached to group '" + core.name() + "': the caller is a task, at " +
                           thread_utils::current_path() +
                           ", and stays part of its own group; attach a thread that runs no task");
  }
  if (core.is_closed()) {
    throw std::logic_error("Attached to group '" + core.name() +
                           "': the group is being destroyed; attach before, and keep the group meanwhile");
  }
  runtime::Flow::current();  // may throw; the rest does not
  core.follow();
  core.add_reference();
  return core;
}
}  // namespace

Attached::Attached(ThreadGroup& group) : Scope(node_to_attach_to(*group.core_)) {}

Attached::~Attached() {
  if (leave()) node().release();
}

}  // namespace v0
}  // namespace tg
