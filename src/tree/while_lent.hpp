// SPDX-License-Identifier: Apache-2.0
// `SlotLent` as a call, for the Python package, which links the library and sees only what it exports.
#pragma once

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>

namespace tg::inline v0::detail {

struct TaskContext;

/// Calls `wait` while a `SlotLent` of these arguments lives.
TG_EXPORT void while_lent(TaskContext* task, bool waits_for_own_group, FunctionRef<void()> wait);

}  // namespace tg::inline v0::detail
