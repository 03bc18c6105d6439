// SPDX-License-Identifier: Apache-2.0
// The texts of targets, and which tasks could end a wait.
#include "tree/wait_target.hpp"

#include "base/escaped.hpp"

namespace tg::inline v0::detail {

std::string WaitTarget::text() const {
  const auto group = [this] { return "group '" + escaped(group_->name()) + "'"; };
  switch (kind_) {
    case Kind::task:
      return "task '" + escaped(task_.name()) + "'";
    case Kind::first_of:
      return "the first of several tasks";
    case Kind::group:
      return group() + " to be idle";
    case Kind::room:
      return "room in " + group();
    default:
      return "a slot of " + group();
  }
}

bool WaitTarget::could_be_ended_by(const TaskContext& running) const {
  const auto is_for = [&](const AwaitedTask& task) {
    return running.holds(*task.task) ||
           (task.state() == AwaitedTask::State::pending && running.depth_in(*task.group) != 0);
  };
  switch (kind_) {
    case Kind::task:
      return is_for(task_);
    case Kind::first_of:
      return !tasks_->all_of([&](const AwaitedTask& task) { return !is_for(task); });
    default:
      return running.depth_in(*group_) != 0;
  }
}

}  // namespace tg::inline v0::detail
