// SPDX-License-Identifier: Apache-2.0
// How an event reaches a subtree: marking and waking. T1 to T5 are in forest.hpp, M1 in
// marking.hpp.
#include "tree/marking.hpp"

#include <new>
#include <utility>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/shared_reason.hpp>

#include "base/cache_line.hpp"
#include "base/planted.hpp"
#include "runtime/asymmetric_fence.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/blocked_signals.hpp"
#include "tree/call_registration.hpp"
#include "tree/forest.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

// Level by level, so that the next nodes are known, and fetched, while the ones before them are marked; and
// through a link in the nodes themselves, so that neither depth nor size needs memory. One that was set
// before has set descendants (T1): nothing to do below it.
//
// Aligned: a loop that lies badly in the lines of the instruction cache costs a walk 7 % of its time.
[[gnu::aligned(kCacheLine)]] void Forest::mark_subtree_locked(Node& top, const SharedReason* reason,
                                                              Marked& marked) {
  NodeCore* first = nullptr;  // marked, with children that are not
  NodeCore* last = nullptr;
  const auto push = [&](NodeCore* core) {
    __builtin_prefetch(core->first_child, 1);
    core->walk_next = nullptr;
    (last != nullptr ? last->walk_next : first) = core;
    last = core;
  };
  if (top.is_thread_root()) {
    push(top.core_);
  } else if (top.event().mark_one_of_many(reason)) {
    ++marked.count;
    marked.top = true;
    push(top.core_);
  }
  while (first != nullptr) {
    NodeCore* const core = first;
    first = core->walk_next;
    if (first == nullptr) last = nullptr;
    marked.look_later_locked(core);  // its link is free again
    for (NodeCore* child = core->first_child; child != nullptr; child = child->next_sibling) {
      __builtin_prefetch(child->next_sibling, 1);
      if (child->event.is_shielded() && !TG_PLANTED(shield_is_marked_at_once)) [[unlikely]] {
        marked.hold_back_locked(child, *reason);
        continue;
      }
      if (!child->event.mark_one_of_many(reason)) continue;
      ++marked.count;
      child->first_child != nullptr ? push(child) : marked.look_later_locked(child);
    }
  }
}

// T3: sleepers first, for all nodes, and then the graces of shields: what the nodes do in `on_event_set` may take
// long, or wait for one of them.
void Forest::notify(const Marked& marked) noexcept {
  NodeCore* first = marked.first;
  if (first != nullptr && CallRegistration::any() && !TG_PLANTED(tree_setter_has_no_heavy_fence))
    runtime::heavy_fence();  // T10: after the marks, before the look at flows in calls
  for (NodeCore* core = first; core != nullptr; core = core->walk_next) core->event.release_waiters();
  if (first != nullptr) BlockedSignals::instance().check_later();
  for (NodeCore* shield = marked.first_shield; shield != nullptr;) {
    Node* const node = shield->node;
    shield = std::exchange(shield->walk_next, nullptr);
    node->begin_grace();
    node->release();
  }
  while (first != nullptr) {
    Node* const node = first->node;
    first = std::exchange(first->walk_next, nullptr);
    node->on_event_set();
    node->release();
  }
}

bool Forest::set_event(Node& node, Reason reason) {
  if (node.event().is_set()) {
    if (TG_PLANTED(tree_second_setter_does_not_wait)) return false;
    MutexLock lock(mutex_);  // T3: the flow that set it may still be marking what is below
    return false;
  }
  reason.origin = node.id_;
  reason.origin_path = path(node);
  reason.when = runtime::now();
  const auto shared = ReasonPointer::adopt(new SharedReason(std::move(reason)));
  return set_event(node, *shared.get());
}

bool Forest::set_event_as_prepared(Node& node, SharedReason& prepared) noexcept {
  Reason& reason = prepared.before_it_is_shared();
  reason.origin = node.id_;
  reason.when = runtime::now();
  try {
    reason.origin_path = path(node);
  } catch (const std::bad_alloc&) {  // the path can be missed, the stop cannot
  }
  return set_event(node, std::as_const(prepared));
}

void Forest::set_destroyed_without_memory(Node& node) noexcept {
  set_event(node, *destroyed_without_memory_);
}

bool Forest::set_event(Node& node, const SharedReason& reason) noexcept {
  Marked marked;
  {
    MutexLock lock(mutex_);
    if (!TG_PLANTED(fresh_groups_are_not_revealed)) reveal_below_locked(node);
    mark_subtree_locked(node, &reason, marked);
    marked.look_locked();
    reason.add_references(marked.count);  // before a marked node can go, which takes this lock
  }
  notify(marked);
  return marked.top;
}

void Forest::set_all_events(Reason reason) {
  reason.when = runtime::now();
  const auto shared = ReasonPointer::adopt(new SharedReason(std::move(reason)));
  Marked marked;
  {
    MutexLock lock(mutex_);
    reveal_all_locked();
    for (NodeCore* root = first_root_; root != nullptr; root = root->next_sibling) {
      mark_subtree_locked(*root->node, shared.get(), marked);
    }
    marked.look_locked();
    shared.get()->add_references(marked.count);
  }
  notify(marked);
}

}  // namespace tg::inline v0::detail
