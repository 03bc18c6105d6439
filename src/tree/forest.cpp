// SPDX-License-Identifier: Apache-2.0
// Linking, and the end of the process. T1 to T5 are in the header.
#include "tree/forest.hpp"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/duration.hpp>

#include "base/planted.hpp"
#include "base/report.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"
#include "tree/forest_walk.hpp"
#include "tree/fresh_link.hpp"
#include "tree/path_counts.hpp"
#include "tree/scope_entry.hpp"
#include "tree/still_running.hpp"

namespace tg::inline v0::detail {

// The root of a thread's own groups. The main thread's stays; that of another thread goes when
// the thread has ended and the last group below it is gone.
struct ThreadRoot final : Node {
  ThreadRoot(std::string name, NodeKind kind, runtime::Flow* of) : Node(std::move(name), kind), flow(of) {}
  runtime::Flow* flow;  // guarded by the forest's lock; null once the thread has ended
};

constinit Forest Forest::only_;

namespace {
[[gnu::constructor(runtime::at_load::kForest)]] void hold_forest() { Forest::hold_across_forks(); }

Reason destroyed_without_memory() {
  Reason reason;
  reason.kind = ReasonKind::destroyed;
  reason.message = "a group's object was destroyed, and there was no memory to say which";
  return reason;
}
}  // namespace

void Forest::hold_across_forks() {
  runtime::hold_across_forks([]() -> Mutex& { return only_.mutex_; },
                             []() TG_NO_THREAD_SAFETY_ANALYSIS {
                               // The nodes are the parent's; here they are only memory that nothing uses.
                               only_.first_root_ = nullptr;
                               only_.main_root_ = nullptr;
                               only_.forget_drains_locked();
                               only_.forget_grants_locked();
                               only_.leave_path_counts_locked();
#if defined(TG_SIMULATION)
                               runtime::Flow::for_each([](runtime::Flow& flow) {
                                 delete std::exchange(flow.fresh_link, nullptr);
                                 flow.last_helped = 0;
                               });
                               only_.last_id_ = 0;
                               only_.cores_.begin_again();
#endif
                             });
  using runtime::Engine;
  Engine::register_part(Engine::Part::forest,
                        {[]() -> void* { return new Forest; },
                         [](void* part) noexcept { static_cast<Forest*>(part)->begin_again(); }});
}

// Called by an engine whose flows have ended. Groups that are left stay as they are, but are not found any
// more.
void Forest::begin_again() noexcept {
  ThreadRoot* root = nullptr;
  {
    MutexLock lock(mutex_);
    root = std::exchange(main_root_, nullptr);
    if (root != nullptr && root->core_->first_child != nullptr) root = nullptr;
    if (root != nullptr) {
      detach_locked(*root);
      root->linked_ = false;
    }
    first_root_ = nullptr;
    last_id_ = 0;
    forget_drains_locked();
    delete std::exchange(path_counts_, nullptr);
    exit_grace_ = kExitGrace;
    destructor_warning_ = kDestructorWarning;
  }
  if (root != nullptr) root->release();
}

// With the first node and not as the library is loaded: tasks may use whatever was constructed before it, and
// that is destroyed only after the exit handler has run.
void Forest::begin_locked() {
  if (destroyed_without_memory_ == nullptr)
    destroyed_without_memory_ = new SharedReason(destroyed_without_memory());
  if (this == &only_ && std::atexit(&Forest::at_exit) != 0) throw std::bad_alloc();
  has_begun_ = true;
}

// Siblings are in the order in which they came. The first one's link backwards leads to the last.
void Forest::attach_locked(Node& node, Node* parent) {
  NodeCore*& first = parent != nullptr ? parent->core_->first_child : first_root_;
  NodeCore* const core = node.core_;
  node.set_parent(parent);
  core->next_sibling = nullptr;
  if (first == nullptr) {
    node.previous_sibling_ = core;
    first = core;
  } else {
    NodeCore* const last = first->node->previous_sibling_;
    node.previous_sibling_ = last;
    last->next_sibling = core;
    first->node->previous_sibling_ = core;
  }
}

void Forest::detach_locked(Node& node) {
  if (!is_attached_locked(node)) return withdraw_fresh_locked(node);
  NodeCore*& first = node.parent() != nullptr ? node.parent()->core_->first_child : first_root_;
  NodeCore* const next = node.core_->next_sibling;
  if (node.core_ == first) {
    first = next;
  } else {
    node.previous_sibling_->next_sibling = next;
  }
  if (next != nullptr) {
    next->node->previous_sibling_ = node.previous_sibling_;
  } else if (first != nullptr) {
    first->node->previous_sibling_ = node.previous_sibling_;  // it was the last
  }
  node.previous_sibling_ = nullptr;
}

void Forest::name_by_number(Node& node) { node.name_ = "ThreadGroup-" + std::to_string(node.id_.value); }

void Forest::introduce_locked(Node& node, FreshLink* link) {
  if (!has_begun_) [[unlikely]]
    begin_locked();
  if (node.core_ == nullptr) node.core_ = cores_.take(node);
  if (node.kind_ == NodeKind::shield) node.event().shield();
  // A flow uses up its row of numbers first: its groups have theirs in the order in which it makes them.
  node.id_ = GroupId{link != nullptr && link->has_ids() ? link->next_id++ : ++last_id_};
  if (node.name_.empty() && !node.has_no_tasks()) name_by_number(node);
  node.linked_ = true;
}

void Forest::inherit_event_locked(Node& node, const Node& from) {  // T1
  if (from.event().is_draining() && !TG_PLANTED(drain_child_is_born_open))
    node.event().begin_draining();  // T7
  if (!from.event().is_set() || TG_PLANTED(tree_child_is_born_unset)) return;
  ReasonPointer reason = from.event().reason();
  if (node.event().is_shielded()) {
    node.hold_back_locked(*reason.get(), false);
  } else if (node.event().mark(reason.get())) reason.detach();
}

Node& Forest::root_of_calling_thread_locked() {
  runtime::Flow& flow = runtime::Flow::current();
  if (flow.is_main()) {
    if (main_root_ == nullptr) {
      auto root = std::make_unique<ThreadRoot>("MainThread", NodeKind::main_thread, &flow);
      introduce_locked(*root, nullptr);
      attach_locked(*root, nullptr);
      main_root_ = root.release();
    }
    return *main_root_;
  }
  if (flow.root == nullptr) {
    auto root = std::make_unique<ThreadRoot>(flow.os_label(), NodeKind::foreign_thread, &flow);
    introduce_locked(*root, nullptr);
    attach_locked(*root, nullptr);
    flow.root = root.release();
    flow.on_thread_exit = &Forest::forget_thread;
  }
  return *flow.root;
}

void Forest::forget_thread(runtime::Flow& flow) {
  Forest& forest = instance();
  ThreadRoot* gone = nullptr;
  {
    MutexLock lock(forest.mutex_);
    ThreadRoot* const root = std::exchange(flow.root, nullptr);
    if (root == nullptr) return;
    root->flow = nullptr;
    forest.reveal_children_locked(*root);
    if (root->core_->first_child == nullptr) {
      forest.detach_locked(*root);
      root->linked_ = false;
      gone = root;
    }
  }
  if (gone != nullptr) gone->release();
}

void Forest::link_under_lock(Node& node, FreshLink* link) {
  runtime::Flow& flow = runtime::Flow::current();
  Node* const inside = innermost_node(flow);
  MutexLock lock(mutex_);
  if (link != nullptr && link->was_granted) end_own_grant_locked(*link, inside);
  Node* parent = nullptr;
  if (node.kind_ != NodeKind::daemon) {
    // The group to which a thread is attached may be gone. Then what the thread makes is born stopped.
    const bool has_place = inside != nullptr && inside->linked_;
    parent = has_place ? inside : &root_of_calling_thread_locked();
  }
  if (parent != nullptr && parent->passes_limits_on_) node.inherit_limits(*parent);
  introduce_locked(node, link);
  node.set_parent(parent);
  if (parent != nullptr) {
    inherit_event_locked(node, inside != nullptr ? *inside : *parent);
    if (link != nullptr) {
      link->last_made = &node;
      if (link->may_ask_for_grant() && (inside == nullptr || inside == parent) && !parent->event().is_set() &&
          !parent->event().is_draining() && grant_locked(*link, inside, node, *parent))
        return;
    }
  }
  attach_locked(node, parent);
}

// A flow gets its link with the first group that it destroys.
void Forest::count_end_of(const Node& node, FreshLink* link) noexcept {
  if (link != nullptr) return link->count_end_of(node);
  runtime::Flow* const flow = runtime::Flow::current_if_any();
  if (flow != nullptr && flow->engine() == nullptr) flow->fresh_link = new (std::nothrow) FreshLink;
}

Forest::Unlinked Forest::unlink_leaf_under_lock(Node& node, FreshLink* link, bool keeps_core) noexcept {
  {
    MutexLock lock(mutex_);
    reveal_children_locked(node);
    if (node.core_->first_child != nullptr) return Unlinked::has_children;
    if (node.parent() == nullptr || node.parent()->kind_ != NodeKind::foreign_thread) {
      if (path_counts_ != nullptr) [[unlikely]]
        keep_counts_locked(node);
      detach_locked(node);
      forget_drain_locked(&node);
      node.linked_ = false;
      node.set_parent(nullptr);
      auto unlinked = Unlinked::yes;
      // If the caller is the only owner, no thread can look at the event any more. (A reason may hold an
      // exception of the user's, which must not be destroyed under the lock.)
      if (node.references_.load(std::memory_order_acquire) == 1 && !node.event().is_set()) {
        if (keeps_core && !node.event().is_draining() && link != nullptr && link->has_room()) {
          unlinked = Unlinked::alone;
        } else if (link != nullptr && link->was_granted && link->spares.empty()) {
          link->spares.keep(std::exchange(node.core_, nullptr));
        } else {
          cores_.put_back(std::exchange(node.core_, nullptr));
        }
      }
      lock.unlock();
      count_end_of(node, link);
      return unlinked;
    }
  }
  unlink(node);  // its parent may have to go, too
  return Unlinked::yes;
}

void Forest::unlink(Node& node) noexcept {
  Node* gone = nullptr;
  {
    MutexLock lock(mutex_);
    if (!node.linked_) return;
    reveal_children_locked(node);
    if (path_counts_ != nullptr) [[unlikely]]
      keep_counts_locked(node);
    Node* const parent = node.parent();
    detach_locked(node);
    forget_drain_locked(&node);
    node.linked_ = false;
    node.set_parent(nullptr);  // another owner may keep the node longer, and ask for its path
    while (NodeCore* child = node.core_->first_child) {  // T4
      detach_locked(*child->node);
      attach_locked(*child->node, parent);
    }
    if (parent != nullptr && parent->kind_ == NodeKind::foreign_thread &&
        parent->core_->first_child == nullptr && static_cast<ThreadRoot*>(parent)->flow == nullptr) {
      detach_locked(*parent);
      parent->linked_ = false;
      gone = parent;
    }
  }
  if (gone != nullptr) gone->release();
  count_end_of(node, FreshLink::of_caller());
}

void Forest::reclaim(NodeCore* core) noexcept {
  FreshLink* const link = FreshLink::of_caller();
  if (link != nullptr && link->was_granted && link->spares.empty()) return link->spares.keep(core);
  cores_.give_back(core);
}

void Forest::set_exit_grace(Duration grace) {
  MutexLock lock(mutex_);
  exit_grace_ = grace;
}

void Forest::set_destructor_warning(Duration after) {
  if (after <= Duration()) throw std::invalid_argument("set_destructor_warning: the time must be above zero");
  MutexLock lock(mutex_);
  destructor_warning_ = after;
}

Duration Forest::destructor_warning() const {
  MutexLock lock(mutex_);
  return destructor_warning_;
}

void Forest::at_exit() { only_.finish_process(); }

// Nothing is killed here: the process goes on exiting, and the system ends the threads with it.
void Forest::finish_process() noexcept try {
  std::vector<Node*> left;
  TimePoint deadline;
  {
    MutexLock lock(mutex_);
    if (std::exchange(finished_, true)) return;
    deadline = runtime::after(exit_grace_);
    reveal_all_locked();
    visit_locked(nullptr, Walk::without_left_behind, [&](Node& node) {
      if (node.try_add_reference()) left.push_back(&node);
    });
  }
  if (!left.empty()) {
    Reason reason;
    reason.message = "the process is ending";
    set_all_events(std::move(reason));
  }
  for (Node* node : left) {
    if (!node->wait_until_quiet(deadline)) report_still_running(*node, "at exit");
    node->release();
  }
  report_abandoned("at exit", snapshot());
  runtime::ThreadCache::instance().retire_idle_threads(deadline);
} catch (const std::exception& e) {
  report_line({"at exit: ", e.what()});
}

}  // namespace tg::inline v0::detail
