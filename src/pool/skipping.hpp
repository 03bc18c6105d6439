// SPDX-License-Identifier: Apache-2.0
// Tasks that end without having begun.
#pragma once

#include <cstddef>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/task.hpp>

#include "pool/parts.hpp"
#include "pool/task_list.hpp"

namespace tg::inline v0::detail {

/// What `Pool` does to skip tasks: see `Pool::skip_pending` and `Pool::skip`.
///
/// Thread safety: everything from any thread, with no lock held.
class Skipping {
 public:
  explicit Skipping(PoolParts& pool) noexcept : pool_(pool) {}
  std::size_t all_pending(const ReasonPointer& reason) noexcept;
  bool one(ClaimableTask& task, const ReasonPointer& reason) noexcept;
  /// Skips a task that is counted as pending and in no list.
  void in_no_list(Task& task, const ReasonPointer& reason) noexcept;

 private:
  std::size_t end_unrun(TaskList tasks, const ReasonPointer& reason) noexcept;

  PoolParts& pool_;
};

}  // namespace tg::inline v0::detail
