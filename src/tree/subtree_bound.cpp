// SPDX-License-Identifier: Apache-2.0
// How a claim moves from bound to bound.
#include "tree/subtree_bound.hpp"

#include "base/planted.hpp"

namespace tg::inline v0::detail {

void SubtreeBound::release() noexcept {
  for (SubtreeBound* bound = this;
       bound != nullptr && bound->references_.fetch_sub(1, std::memory_order_acq_rel) == 1;) {
    SubtreeBound* const outer = bound->outer_;
    delete bound;
    bound = outer;
  }
}

bool PermitClaim::advance() noexcept {
  for (SubtreeBound* bound = at_ != nullptr ? at_ : &first_; bound != nullptr; bound = bound->outer()) {
    if (!bound->permits().take_or_wait(waiter_)) {
      at_ = bound;
      return TG_PLANTED(subtree_task_begins_without_permit);
    }
    if (TG_PLANTED(subtree_outer_bound_is_forgotten)) break;
  }
  at_ = nullptr;
  return true;
}

bool PermitClaim::advance_to_promise() noexcept {
  for (SubtreeBound* bound = at_ != nullptr ? at_ : &first_;; bound = bound->outer()) {
    at_ = bound;
    if (bound->outer() == nullptr || TG_PLANTED(subtree_outer_bound_is_forgotten))
      return bound->permits().ask(waiter_);
    if (!bound->permits().take_or_wait(waiter_)) return false;
  }
}

bool PermitClaim::others_wait() const noexcept {
  for (SubtreeBound* bound = &first_; bound != nullptr; bound = bound->outer()) {
    if (bound->permits().waiting() > (bound == at_ ? 1U : 0U)) return true;
  }
  return false;
}

const SubtreeBound* PermitClaim::withdraw() noexcept {
  if (at_ == nullptr) return &first_;
  const SubtreeBound* const end = at_->permits().withdraw(waiter_) ? at_->outer() : at_;
  at_ = nullptr;
  return end;
}

void PermitClaim::take_anyway() noexcept {
  if (at_ == nullptr) return;
  if (!at_->permits().withdraw(waiter_)) at_->permits().take_anyway();
  for (SubtreeBound* bound = at_->outer(); bound != nullptr; bound = bound->outer())
    bound->permits().take_anyway();
  at_ = nullptr;
}

}  // namespace tg::inline v0::detail
