// SPDX-License-Identifier: Apache-2.0
// One lock guards all notes: a task changes its note rarely, and only snapshots read it.
#include "tree/task_note.hpp"

#include <memory>
#include <utility>

#include <threadgroup/detail/mutex.hpp>

#include "runtime/fork.hpp"

namespace tg::inline v0::detail {

namespace {
constinit Mutex notes_mutex;

[[gnu::constructor(runtime::at_load::kWaits)]] void hold_notes() {
  runtime::hold_across_forks([]() -> Mutex& { return notes_mutex; });
}
}  // namespace

void TaskNote::set(std::string text) {
  replace(text.empty() ? nullptr : std::make_unique<std::string>(std::move(text)).release());
}

std::string TaskNote::text() const {
  const MutexLock lock(notes_mutex);
  return text_ != nullptr ? *text_ : std::string();
}

void TaskNote::replace(std::string* by) noexcept {
  {
    const MutexLock lock(notes_mutex);
    std::swap(text_, by);
  }
  delete by;
}

}  // namespace tg::inline v0::detail
