// SPDX-License-Identifier: Apache-2.0
// Adding a failure, and looking for delivered ones.
#include "pool/failure_list.hpp"

#include <utility>

#include "pool/task_list.hpp"

namespace tg::inline v0::detail {

void FailureList::push(Task& task, TaskList& delivered) noexcept {
  for (int looks = 0; looks < 2; ++looks) {
    Task* const next = tasks_.after(looked_at_);
    if (next == nullptr) {
      looked_at_ = nullptr;
      break;
    }
    if (next->failure_is_claimed()) {
      delivered.push(*tasks_.remove_after(looked_at_));
    } else {
      looked_at_ = next;
    }
  }
  tasks_.push(task);
}

TaskList FailureList::take_all() noexcept {
  looked_at_ = nullptr;
  return tasks_.take_all();
}

void FailureList::put_back(TaskList tasks) noexcept {
  tasks.append(take_all());
  tasks_ = tasks;
}

void deliver(TaskList& failed, std::vector<Failure>& taken) {
  while (Task* task = failed.front()) {
    taken.reserve(taken.size() < taken.capacity() ? 0 : 2 * taken.size() + 1);
    Failure failure = task->failure();
    failed.pop();  // nothing throws from here on
    if (task->claim_failure()) taken.push_back(std::move(failure));
    task->release();
  }
}

}  // namespace tg::inline v0::detail
