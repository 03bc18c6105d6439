// SPDX-License-Identifier: Apache-2.0
// Linking without the forest's lock, and what other flows do before they look. README.md has F1 to F4.
#include "tree/fresh_link.hpp"

#include <array>
#include <utility>

#include "base/planted.hpp"
#include "runtime/asymmetric_fence.hpp"
#include "runtime/flow.hpp"
#include "tree/forest.hpp"
#include "tree/scope_entry.hpp"

namespace tg::inline v0::detail {

// --- The flow itself, without the lock ---

void Forest::link(Node& node) {
  FreshLink* const link = FreshLink::of_caller();
  if (link == nullptr || !link_fresh(*link, node)) instance().link_under_lock(node, link);
}

bool Forest::link_fresh(FreshLink& link, Node& node) {
  Node* const parent = link.parent.load(std::memory_order_relaxed);
  if (parent == nullptr || link.inside != innermost_node(*runtime::Flow::current_if_any()) ||
      link.node.load(std::memory_order_relaxed) != nullptr ||
      (link.spares.empty() && node.core_ == nullptr) || !link.has_ids() || !may_be_fresh(node)) {
    return false;
  }
  if (parent->passes_limits_on_) node.inherit_limits(*parent);
  node.id_ = GroupId{link.next_id};
  if (node.name_.empty() && !node.has_no_tasks()) [[unlikely]]
    name_by_number(node);
  ++link.next_id;
  if (node.core_ == nullptr) node.core_ = link.spares.take(node);
  node.set_parent(parent);
  node.linked_ = true;
  link.last_made = &node;
  link.node.store(&node, TG_ORDER(release, fresh_link_publishes_nothing, relaxed));
  if (!TG_PLANTED(fresh_link_has_no_fence)) runtime::light_fence();
  if (!TG_PLANTED(fresh_link_is_not_checked_again) && link.parent.load(std::memory_order_relaxed) == nullptr)
      [[unlikely]]
    instance().settle(link, node);
  return true;
}

Forest::Unlinked Forest::unlink_leaf(Node& node, bool keeps_core) noexcept {
  FreshLink* const link = FreshLink::of_caller();
  if (link != nullptr && unlink_fresh(*link, node)) return Unlinked::unseen;
  return instance().unlink_leaf_under_lock(node, link, keeps_core);
}

// Not if tasks were added, which watches the event: they may have left groups in links of other flows.
bool Forest::unlink_fresh(FreshLink& link, Node& node) noexcept {
  if (link.parent.load(std::memory_order_relaxed) == nullptr ||
      link.node.load(std::memory_order_relaxed) != &node || node.event().is_watched() ||
      node.references_.load(std::memory_order_acquire) != 1 ||  // its time limit is due
      node.core_->first_child != nullptr) {
    return false;
  }
  link.node.store(nullptr, std::memory_order_relaxed);
  if (!TG_PLANTED(fresh_unlink_has_no_fence)) runtime::light_fence();
  if (!TG_PLANTED(fresh_unlink_is_not_checked_again) &&
      link.parent.load(std::memory_order_relaxed) == nullptr) [[unlikely]]
    return false;
  // No other flow has seen it, and none finds it any more. It has one owner, who is the caller.
  node.linked_ = false;
  node.set_parent(nullptr);
  return true;
}

void Forest::drop_core(Node& node) noexcept {
  FreshLink& link = *FreshLink::of_caller();
  // Only a flow with a grant takes one from there again.
  if (link.was_granted && link.spares.empty()) link.spares.keep(std::exchange(node.core_, nullptr));
}

// The grant was revoked while the flow was about to link its group. If the flow that revoked it has not found
// the group, it is attached here, perhaps below a parent whose event is set by now.
[[gnu::noinline]] void Forest::settle(FreshLink& link, Node& node) {
  MutexLock lock(mutex_);
  if (is_attached_locked(node)) return;
  link.node.store(nullptr, std::memory_order_relaxed);
  attach_locked(node, node.parent());
  inherit_event_locked(node, *node.parent());
}

// --- Under the lock ---

// Before a flow links its next group: first, its fresh group is attached among its siblings.
void Forest::end_own_grant_locked(FreshLink& link, const Node* inside) noexcept {
  if (link.parent.load(std::memory_order_relaxed) == nullptr) return link.lose_grant();
  const bool was_in_the_way = link.node.load(std::memory_order_relaxed) != nullptr || link.inside != inside;
  reveal_locked([&link](const Grant& grant) { return grant.link == &link; });
  link.give_up_grant(was_in_the_way);
}

// Links the group through the flow's link if that is worth it; else the caller attaches it.
bool Forest::grant_locked(FreshLink& link, const Node* inside, Node& node, Node& parent) {
  if (grant_count_ == grants_.size() || !may_be_fresh(node) || !runtime::has_heavy_fence()) {
    return false;
  }
  if (link.spares.empty()) cores_.give_spares(link.spares);
  if (!link.has_ids()) {
    link.next_id = last_id_ + 1;
    link.end_of_ids = link.next_id + FreshLink::kIdsInARow;
    last_id_ += FreshLink::kIdsInARow;
  }
  link.first_id_of_grant = link.next_id;
  link.inside = inside;
  link.was_granted = true;
  grants_[grant_count_++] = {&link, &parent};
  link.node.store(&node, std::memory_order_release);
  link.parent.store(&parent, std::memory_order_relaxed);
  return true;
}

// F2: revokes these grants, and attaches the groups that were fresh.
template <class Chosen>
void Forest::reveal_locked(Chosen chosen) noexcept {
  std::array<FreshLink*, kMostGrants> revoked;
  std::size_t count = 0;
  std::size_t kept = 0;
  bool has_others = false;
  const FreshLink* const own = FreshLink::of_caller();
  for (std::size_t i = 0; i < grant_count_; ++i) {
    const Grant grant = grants_[i];
    if (!chosen(grant)) {
      grants_[kept++] = grant;
      continue;
    }
    grant.link->parent.store(nullptr, std::memory_order_relaxed);
    revoked[count++] = grant.link;
    if (grant.link != own) has_others = true;
  }
  grant_count_ = kept;
  if (has_others && !TG_PLANTED(fresh_reveal_has_no_fence)) runtime::heavy_fence();
  for (std::size_t i = 0; i < count; ++i) {
    if (Node* const fresh = revoked[i]->node.load(std::memory_order_acquire))
      attach_locked(*fresh, fresh->parent());
  }
}

void Forest::reveal_all_locked() noexcept {
  if (grant_count_ != 0) reveal_locked([](const Grant&) { return true; });
}

void Forest::reveal_children_locked(const Node& parent) noexcept {
  if (grant_count_ != 0) reveal_locked([&parent](const Grant& grant) { return grant.parent == &parent; });
}

void Forest::reveal_below_locked(const Node& top) noexcept {
  if (grant_count_ == 0) return;
  reveal_locked([&](const Grant& grant) TG_REQUIRES(mutex_) { return is_below_locked(grant.parent, &top); });
}

// F4: takes a fresh group out of the link that it is in. No fence: the link is occupied, so its flow cannot
// be using it without the lock, and only the caller may destroy the group in it.
void Forest::withdraw_fresh_locked(const Node& node) noexcept {
  for (std::size_t i = 0; i < grant_count_; ++i) {
    FreshLink& link = *grants_[i].link;
    if (link.node.load(std::memory_order_relaxed) != &node) continue;
    link.node.store(nullptr, std::memory_order_relaxed);
    return;
  }
}

// In a forked child the flows are the parent's.
void Forest::forget_grants_locked() noexcept {
  for (std::size_t i = 0; i < grant_count_; ++i) {
    grants_[i].link->parent.store(nullptr, std::memory_order_relaxed);
    grants_[i].link->node.store(nullptr, std::memory_order_relaxed);
  }
  grant_count_ = 0;
}

}  // namespace tg::inline v0::detail
