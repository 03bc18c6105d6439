// SPDX-License-Identifier: Apache-2.0
// The slot of the calling task, for layers that do not know the tree.
#pragma once

#include <threadgroup/base/unique_function.hpp>

namespace tg::detail {

/// Calls `wait` while the calling task's slot is free for others of its group. Outside a task, or if the slot
/// is lent already, it just calls.
void while_slot_is_lent(FunctionRef<void()> wait);

/// How the tree does that: it knows the group of the calling task, and fills this in while the library is
/// loaded.
using SlotLender = void (*)(FunctionRef<void()> wait);
extern SlotLender slot_lender_in_tree;

}  // namespace tg::detail
