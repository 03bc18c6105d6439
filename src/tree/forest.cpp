// SPDX-License-Identifier: Apache-2.0
// Linking, marking and waking. The invariants T1 to T5 stand in the header.
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/runtime/threads.hpp>
#include <threadgroup/tree/forest.hpp>

namespace tg::detail {

// The root under which a thread's own groups hang. The main thread's stays; that of another thread goes when
// the thread has ended and the last group below it is gone.
struct Forest::ThreadRoot final : Node {
  ThreadRoot(std::string name, NodeKind kind, runtime::Flow* of) : Node(std::move(name), kind), flow(of) {}
  runtime::Flow* flow;  // guarded by the forest's lock; null once the thread has ended
};

// What a walk has marked: how many, whether the top was among them, and the list of those with somebody to
// wake.
struct Forest::Marked {
  std::size_t count = 0;
  bool top = false;
  Node* first = nullptr;
  Node* last = nullptr;
};

Forest& Forest::instance() {
  static Forest* const forest = new Forest;
  return *forest;
}

Forest::Forest() {
  runtime::ThreadCache::instance();  // its fork handlers come before ours
  runtime::at_fork([]() TG_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.lock(); },  // held across the fork
                   []() TG_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.unlock(); },
                   []() TG_NO_THREAD_SAFETY_ANALYSIS {
                     // The nodes are the parent's; here they are only memory that nobody will use.
                     instance().first_root_ = nullptr;
                     instance().main_root_ = nullptr;
                     instance().mutex_.unlock();
                   });
  std::atexit(&Forest::at_exit);
}

void Forest::attach_locked(Node& node, Node* parent) {
  Node*& first = parent != nullptr ? parent->first_child_ : first_root_;
  node.parent_ = parent;
  node.previous_sibling_ = nullptr;
  node.next_sibling_ = first;
  if (first != nullptr) first->previous_sibling_ = &node;
  first = &node;
  node.linked_ = true;
}

void Forest::detach_locked(Node& node) {
  Node*& first = node.parent_ != nullptr ? node.parent_->first_child_ : first_root_;
  if (node.previous_sibling_ != nullptr) {
    node.previous_sibling_->next_sibling_ = node.next_sibling_;
  } else {
    first = node.next_sibling_;
  }
  if (node.next_sibling_ != nullptr) node.next_sibling_->previous_sibling_ = node.previous_sibling_;
  node.linked_ = false;
}

Node& Forest::root_of_calling_thread_locked() {
  runtime::Flow& flow = runtime::Flow::current();
  if (flow.is_main()) {
    if (main_root_ == nullptr) {
      main_root_ = new ThreadRoot("MainThread", NodeKind::main_thread, &flow);
      main_root_->id_ = GroupId{++last_id_};
      attach_locked(*main_root_, nullptr);
    }
    return *main_root_;
  }
  if (flow.root == nullptr) {
    auto* root = new ThreadRoot(flow.os_label(), NodeKind::foreign_thread, &flow);
    root->id_ = GroupId{++last_id_};
    attach_locked(*root, nullptr);
    flow.root = root;
    flow.on_thread_exit = &Forest::forget_thread;
  }
  return *static_cast<ThreadRoot*>(flow.root);
}

void Forest::forget_thread(runtime::Flow& flow) {
  Forest& forest = instance();
  ThreadRoot* gone = nullptr;
  {
    MutexLock lock(forest.mutex_);
    auto* root = static_cast<ThreadRoot*>(std::exchange(flow.root, nullptr));
    if (root == nullptr) return;
    root->flow = nullptr;
    if (root->first_child_ == nullptr) {
      forest.detach_locked(*root);
      gone = root;
    }
  }
  if (gone != nullptr) gone->release();
}

void Forest::link(Node& node) {
  TaskContext* const task = TaskContext::current();
  MutexLock lock(mutex_);
  Node* parent = nullptr;
  if (node.kind_ != NodeKind::daemon)
    parent = task != nullptr ? task->node : &root_of_calling_thread_locked();
  node.id_ = GroupId{++last_id_};
  if (node.name_.empty()) node.name_ = "ThreadGroup-" + std::to_string(node.id_.value);
  attach_locked(node, parent);
  if (parent != nullptr && parent->event_.is_set()) {  // T1
    ReasonPointer reason = parent->event_.reason();
    if (node.event_.mark(reason.get())) reason.detach();
  }
}

void Forest::unlink(Node& node) noexcept {
  Node* gone = nullptr;
  {
    MutexLock lock(mutex_);
    if (!node.linked_) return;
    Node* const parent = node.parent_;
    detach_locked(node);
    node.parent_ = nullptr;                    // somebody may hold the node longer, and ask for its path
    while (Node* child = node.first_child_) {  // T4
      detach_locked(*child);
      attach_locked(*child, parent);
    }
    if (parent != nullptr && parent->kind_ == NodeKind::foreign_thread && parent->first_child_ == nullptr &&
        static_cast<ThreadRoot*>(parent)->flow == nullptr) {
      detach_locked(*parent);
      gone = parent;
    }
  }
  if (gone != nullptr) gone->release();
}

void Forest::mark_subtree_locked(Node& top, const SharedReason* reason, Marked& marked) {
  Node* node = &top;
  for (;;) {
    bool descend = node->is_thread_root();
    if (!descend && node->event_.mark(reason)) {
      descend = true;
      ++marked.count;
      if (node == &top) marked.top = true;
      if ((node->wants_notice() || !node->event_.waiters().empty()) && node->try_add_reference()) {
        (marked.last != nullptr ? marked.last->next_to_notify_ : marked.first) = node;
        marked.last = node;
      }
    }
    // One that was set before has set descendants (T1): nothing to do below it.
    if (descend && node->first_child_ != nullptr) {
      node = node->first_child_;
      continue;
    }
    while (node != &top && node->next_sibling_ == nullptr) node = node->parent_;
    if (node == &top) return;
    node = node->next_sibling_;
  }
}

// T3. Sleepers first, for all nodes: what the nodes do in `on_event_set` may take long.
void Forest::notify(Node* first) noexcept {
  for (Node* node = first; node != nullptr; node = node->next_to_notify_) node->event_.release_waiters();
  while (first != nullptr) {
    Node* const node = first;
    first = std::exchange(node->next_to_notify_, nullptr);
    if (node->wants_notice()) node->on_event_set();
    node->release();
  }
}

bool Forest::set_event(Node& node, Reason reason) {
  if (node.event_.is_set()) return false;
  reason.origin = node.id_;
  reason.origin_path = path(node);
  reason.when = runtime::now();
  const auto shared = ReasonPointer::adopt(new SharedReason(std::move(reason)));
  Marked marked;
  {
    MutexLock lock(mutex_);
    mark_subtree_locked(node, shared.get(), marked);
    shared.get()->add_references(marked.count);  // before a marked node can go, which takes this lock
  }
  notify(marked.first);
  return marked.top;
}

void Forest::set_all_events(Reason reason) {
  reason.when = runtime::now();
  const auto shared = ReasonPointer::adopt(new SharedReason(std::move(reason)));
  Marked marked;
  {
    MutexLock lock(mutex_);
    for (Node* root = first_root_; root != nullptr; root = root->next_sibling_) {
      mark_subtree_locked(*root, shared.get(), marked);
    }
    shared.get()->add_references(marked.count);
  }
  notify(marked.first);
}

std::string Forest::path_locked(const Node& node) const {
  std::vector<const Node*> nodes;
  for (const Node* n = &node; n != nullptr; n = n->parent_) nodes.push_back(n);
  std::string path;
  for (auto n = nodes.rbegin(); n != nodes.rend(); ++n) {
    if (!path.empty()) path += '/';
    path += (*n)->name_;
  }
  return path;
}

std::string Forest::path(const Node& node) const {
  MutexLock lock(mutex_);
  return path_locked(node);
}

bool Forest::is_same_or_descendant(const Node& node, const Node& ancestor) const {
  if (&node == &ancestor) return true;
  MutexLock lock(mutex_);
  for (const Node* n = &node; n != nullptr; n = n->parent_) {
    if (n == &ancestor) return true;
  }
  return false;
}

bool Forest::has_children(const Node& node) const {
  MutexLock lock(mutex_);
  return node.first_child_ != nullptr;
}

void Forest::append_snapshot_locked(Node& top, ForestSnapshot& out) const {
  const auto is_hidden = [](const Node& n) { return n.is_thread_root() && n.first_child_ == nullptr; };
  if (is_hidden(top)) return;
  // Children are linked newest first; people read oldest first. So the walk goes from the last sibling to the
  // first.
  const auto last_child = [](Node* n) {
    Node* child = n->first_child_;
    while (child != nullptr && child->next_sibling_ != nullptr) child = child->next_sibling_;
    return child;
  };
  std::size_t depth = 0;
  Node* node = &top;
  for (;;) {
    NodeSnapshot shot;
    shot.id = node->id_;
    if (node->parent_ != nullptr) shot.parent = node->parent_->id_;
    shot.depth = depth;
    shot.kind = node->kind_;
    shot.name = node->name_;
    if (const ReasonPointer reason = node->event_.reason()) {
      shot.event_is_set = true;
      shot.reason = *reason;
    }
    shot.counts = node->statistics();
    out.nodes.push_back(std::move(shot));
    if (Node* child = last_child(node)) {
      node = child;
      ++depth;
      continue;
    }
    while (node != &top && node->previous_sibling_ == nullptr) {
      node = node->parent_;
      --depth;
    }
    if (node == &top) return;
    node = node->previous_sibling_;
  }
}

ForestSnapshot Forest::snapshot() const {
  ForestSnapshot out;
  MutexLock lock(mutex_);
  Node* last = first_root_;
  while (last != nullptr && last->next_sibling_ != nullptr) last = last->next_sibling_;
  for (Node* root = last; root != nullptr; root = root->previous_sibling_) append_snapshot_locked(*root, out);
  return out;
}

void Forest::set_exit_grace(Duration grace) {
  MutexLock lock(mutex_);
  exit_grace_ = grace;
}

void Forest::at_exit() { instance().finish_process(); }

// Tells what is left to stop, waits for it within the grace, and names what does not stop. Nothing is killed
// here: the process goes on exiting, and the system ends the threads with it.
void Forest::finish_process() noexcept try {
  std::vector<Node*> left;
  TimePoint deadline;
  {
    MutexLock lock(mutex_);
    deadline = runtime::after(exit_grace_);
    for (Node* root = first_root_; root != nullptr; root = root->next_sibling_) {
      for (Node* node = root; node != nullptr;) {
        if (!node->is_thread_root() && node->try_add_reference()) left.push_back(node);
        if (node->first_child_ != nullptr) {
          node = node->first_child_;
          continue;
        }
        while (node != root && node->next_sibling_ == nullptr) node = node->parent_;
        node = node != root ? node->next_sibling_ : nullptr;
      }
    }
  }
  if (!left.empty()) {
    Reason reason;
    reason.message = "the process is ending";
    set_all_events(std::move(reason));
  }
  for (Node* node : left) {
    if (!node->wait_until_quiet(deadline)) {
      for (const RunningTask& task : node->running_tasks()) {
        std::fprintf(stderr, "threadgroup: at exit, group '%s' still runs task '%s'\n", path(*node).c_str(),
                     task.name.c_str());
      }
    }
    node->release();
  }
  runtime::ThreadCache::instance().retire_idle_threads(deadline);
} catch (const std::exception& e) {
  std::fprintf(stderr, "threadgroup: at exit: %s\n", e.what());
}

}  // namespace tg::detail
