// SPDX-License-Identifier: Apache-2.0
// Tasks that end without having begun.
#pragma once

#include <cstddef>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/task.hpp>

#include "pool/parts.hpp"
#include "pool/task_list.hpp"

namespace tg::inline v0::detail {

/// Ends tasks that have not begun: see `Pool::skip_pending` and `Pool::skip`.
///
/// Thread safety: everything from any thread, with no lock held.
class Skipping {
 public:
  static std::size_t all_pending(PoolParts& pool, const ReasonPointer& reason) noexcept;
  static bool one(PoolParts& pool, ClaimableTask& task, const ReasonPointer& reason) noexcept;
  /// Skips a task that is counted as pending and in no list.
  static void in_no_list(PoolParts& pool, Task& task, const ReasonPointer& reason) noexcept;

 private:
  static std::size_t end_unrun(PoolParts& pool, TaskList tasks, const ReasonPointer& reason) noexcept;
};

}  // namespace tg::inline v0::detail
