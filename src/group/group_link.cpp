// SPDX-License-Identifier: Apache-2.0
// A link's reference, and the tasks that it adds.
#include <threadgroup/detail/group_link.hpp>

#include <utility>

#include <threadgroup/detail/call_site.hpp>
#include <threadgroup/detail/task_slot.hpp>
#include <threadgroup/task_handle.hpp>

#include "group/group_core.hpp"

namespace tg::inline v0::detail {

GroupLink::GroupLink(GroupCore& core) : core_(core), stop_token_(core.stop_token()) { core.add_reference(); }

GroupLink::~GroupLink() {
  if (!forked()) core_.release();  // in a forked child nothing of it is ours to end
}

const std::string& GroupLink::name() const noexcept { return core_.name(); }
bool GroupLink::closed() const noexcept { return core_.is_closed(); }
bool GroupLink::forked() const noexcept { return core_.runtime_generation_changed(); }

void GroupLink::add_task(std::string task_name, UniqueFunction<void()> run) {
  core_.check_process("add_task");
  auto* const task =
      new NamedTask<CallFor<UniqueFunction<void()>>>(std::move(task_name), CallSite(), core_, std::move(run));
  const TaskHandle<void> handle(task);
  try {
    core_.pool().add(*task);
  } catch (...) {
    task->discard();
    throw;
  }
}

}  // namespace tg::inline v0::detail
