// SPDX-License-Identifier: Apache-2.0
// What a task says about its progress, for snapshots.
#pragma once

#include <string>

namespace tg::inline v0::detail {

/// The text of `thread_utils::note`, until the task ends.
///
/// Thread safety: `set` and `forget` by the flow that runs the task; `text` from any thread, while a lock keeps the object.
class TaskNote {
 public:
  constexpr TaskNote() noexcept = default;
  ~TaskNote() { forget(); }
  TaskNote(const TaskNote&) = delete;
  TaskNote& operator=(const TaskNote&) = delete;

  /// An empty text removes the note. Throws `std::bad_alloc`.
  void set(std::string text);
  void forget() noexcept {
    if (text_ != nullptr) [[unlikely]]
      replace(nullptr);
  }
  /// Empty if there is none.
  std::string text() const;

 private:
  void replace(std::string* by) noexcept;

  // Its flow changes it under a lock that all notes share, and so may read it without; other flows read it under the lock.
  std::string* text_ = nullptr;
};

}  // namespace tg::inline v0::detail
