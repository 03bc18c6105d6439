// SPDX-License-Identifier: Apache-2.0
// Lending by way of the tree.
#include "event/callers_slot.hpp"

namespace tg::detail {

constinit SlotLender slot_lender_in_tree = nullptr;

void while_slot_is_lent(FunctionRef<void()> wait) {
  if (slot_lender_in_tree == nullptr) return wait();
  slot_lender_in_tree(wait);
}

}  // namespace tg::detail
