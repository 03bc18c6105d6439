// SPDX-License-Identifier: Apache-2.0
// The search for cycles, and the texts that describe them. What counts and why is in the header.
#include "tree/wait_graph.hpp"

#include <array>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include <threadgroup/detail/mutex.hpp>

#include "base/escaped.hpp"
#include "base/planted.hpp"
#include "base/report.hpp"
#include "event/callers_task.hpp"
#include "runtime/fork.hpp"
#include "tree/forest.hpp"
#include "tree/path_text.hpp"
#include "tree/scope_entry.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

namespace {

[[noreturn]] void throw_deadlock(const std::string& path) {
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur), path);
}

}  // namespace

/// All recorded waits: found by the task that waits, and by the group of that task.
class WaitGraph {
 public:
  constexpr WaitGraph() = default;
  static WaitGraph& instance() noexcept {
    return runtime::part_of_caller(graph_, runtime::Engine::Part::waits);
  }
  static void hold_across_forks() {
    runtime::hold_across_forks([]() -> Mutex& { return graph_.mutex_; },
                               []() TG_NO_THREAD_SAFETY_ANALYSIS { graph_.forget_all_locked(); });
    using runtime::Engine;
    Engine::register_part(Engine::Part::waits, {[]() -> void* { return new WaitGraph; },
                                                [](void* part) noexcept {
                                                  auto& graph = *static_cast<WaitGraph*>(part);
                                                  MutexLock lock(graph.mutex_);
                                                  graph.forget_all_locked();
                                                }});
  }

  // True if the wait closes a cycle; then `path` names it, unless there is no memory.
  bool record(RecordedWait& wait, const TaskContext& waiter, bool keep_in_cycle, PathText& path) {
    MutexLock lock(mutex_);
    insert_those_below_locked(waiter);
    insert_locked(wait, waiter);
    if (!is_dead_locked(wait)) {
      if (TG_PLANTED(graph_records_after_it_has_searched)) {
        remove_locked(wait);
        lock.unlock();
        lock.lock();
        insert_locked(wait, waiter);
      }
      return false;
    }
    try {
      describe_locked(wait, path);
    } catch (const std::bad_alloc&) {  // then it names what fitted
    }
    if (!keep_in_cycle) remove_locked(wait);
    return true;
  }
  void remove(RecordedWait& wait) noexcept {
    MutexLock lock(mutex_);
    remove_locked(wait);
  }
  // Empty if the task has no wait of its own here.
  std::string text_of(const TaskContext& task) {
    MutexLock lock(mutex_);
    const RecordedWait* const wait = task.recorded_wait;
    if (wait == nullptr || wait->waiter_ != &task || wait->is_of_parent()) return {};
    std::string text = wait->target_.text();
    const AwaitedTask& awaited = wait->target_.task_;
    // While the forest's lock is held, a group is not destroyed; and not before its tasks have ended.
    if (wait->target_.kind_ == Kind::task && awaited.state() != AwaitedTask::State::done)
      text += " of group '" + escaped(awaited.group->name()) + "'";
    return text;
  }
  // The waits are the parent's: the stacks that they are on are gone.
  void forget_all_locked() noexcept TG_REQUIRES(mutex_) {
    if (recorded_ == 0) return;
    recorded_ = 0;
    tasks_.fill(nullptr);
    groups_.fill(nullptr);
  }

 private:
  using Kind = WaitTarget::Kind;
  static constexpr std::size_t kTaskBuckets = 1024;
  static constexpr std::size_t kGroupBuckets = 256;

  template <class Buckets>
  static auto& bucket_of(Buckets& buckets, const void* key) noexcept {
    const auto bits = std::uint64_t{reinterpret_cast<std::uintptr_t>(key)};
    return buckets[(bits * 0x9E3779B97F4A7C15u) >> 32 & (buckets.size() - 1)];
  }

  void insert_locked(RecordedWait& wait, const TaskContext& waiter) noexcept TG_REQUIRES(mutex_) {
    wait.waiter_ = &waiter;
    ++recorded_;
    // A task further down may run these tasks while it waits: then it has a record of its own, or gets one.
    for (const TaskContext* task = &waiter; task != nullptr && task->recorded_wait == nullptr;
         task = task->outer) {
      if (task != &waiter && task->wait_for_inner != nullptr) break;
      const TaskContext*& first = bucket_of(tasks_, task->task);
      task->recorded_wait = &wait;
      task->next_waiting = std::exchange(first, task);
    }
    RecordedWait* first = first_of_locked(waiter.node);
    if (first == nullptr) {
      first = &wait;
      wait.next_group_ = std::exchange(bucket_of(groups_, waiter.node), &wait);
    } else {
      wait.previous_ = first;
      wait.next_ = std::exchange(first->next_, &wait);
      if (wait.next_ != nullptr) wait.next_->previous_ = &wait;
    }
    if (!wait.lends_) ++first->holding_;
  }

  // G3: the waits of tasks that wait for the ones above them on this stack.
  void insert_those_below_locked(const TaskContext& top) noexcept TG_REQUIRES(mutex_) {
    if (TG_PLANTED(graph_forgets_the_waits_below)) return;
    for (const TaskContext* task = &top; task != nullptr; task = task->outer) {
      RecordedWait* const wait = task->wait_for_inner;
      if (wait == nullptr || wait->is_of_parent()) continue;
      if (wait->waiter_ != nullptr) return;  // and so are those below
      insert_locked(*wait, *task);
    }
  }

  void remove_locked(RecordedWait& wait) noexcept TG_REQUIRES(mutex_) {
    --recorded_;
    for (const TaskContext* task = wait.waiter_; task != nullptr && task->recorded_wait == &wait;
         task = task->outer) {
      const TaskContext** link = &bucket_of(tasks_, task->task);
      while (*link != task) link = &(*link)->next_waiting;
      *link = task->next_waiting;
      task->recorded_wait = nullptr;
    }
    if (!wait.lends_) --first_of_locked(wait.waiter_->node)->holding_;
    if (wait.next_ != nullptr) wait.next_->previous_ = wait.previous_;
    if (wait.previous_ != nullptr) {
      wait.previous_->next_ = wait.next_;
    } else {
      RecordedWait** link = &bucket_of(groups_, wait.waiter_->node);
      while (*link != &wait) link = &(*link)->next_group_;
      *link = wait.next_ != nullptr ? wait.next_ : wait.next_group_;
      if (wait.next_ != nullptr) {
        wait.next_->next_group_ = wait.next_group_;
        wait.next_->holding_ = wait.holding_;
      }
    }
    wait.waiter_ = nullptr;
  }

  // The first of the waits of the group's tasks, or null. The group may be gone: only its address is looked
  // at.
  RecordedWait* first_of_locked(const Node* group) const noexcept TG_REQUIRES(mutex_) {
    RecordedWait* first = bucket_of(groups_, group);
    while (first != nullptr && first->waiter_->node != group) first = first->next_group_;
    return first;
  }

  const TaskContext* waiting_task_locked(const Task* task) const noexcept TG_REQUIRES(mutex_) {
    const TaskContext* found = bucket_of(tasks_, task);
    while (found != nullptr && found->task != task) found = found->next_waiting;
    return found;
  }
  // The group of a pending task, if one of its tasks is in a recorded wait: then it lives as long as the lock
  // is held. The address alone may be that of a group that is gone, so the task is asked again.
  Node* group_of_pending_locked(const AwaitedTask& task) const noexcept TG_REQUIRES(mutex_) {
    const RecordedWait* const first = first_of_locked(task.group);
    return first != nullptr && task.state() == AwaitedTask::State::pending ? first->waiter_->node : nullptr;
  }

  // Whether the wait cannot end before one for which `is_dead` says true.
  template <class IsDead>
  bool depends_locked(const RecordedWait& wait, IsDead is_dead) const TG_REQUIRES(mutex_) {
    for (const Event* event : wait.events_) {
      if (event != nullptr && (event->is_set() || wait.stops_by_itself())) return false;
    }
    const auto task_depends = [&](const AwaitedTask& task) TG_REQUIRES(mutex_) {
      // A task that has ended may still be on a stack: its result is being destroyed.
      if (task.state() == AwaitedTask::State::done) return false;
      if (const TaskContext* const on_stack = waiting_task_locked(task.task))
        return is_dead(*on_stack->recorded_wait);
      Node* const group = group_of_pending_locked(task);
      return group != nullptr && slots_depend_locked(*group, is_dead);
    };
    switch (wait.target_.kind_) {
      case Kind::task:
        return task_depends(wait.target_.task_);
      case Kind::first_of:
        return wait.target_.tasks_->all_of(task_depends);
      case Kind::slot:
      case Kind::room:
        return slots_depend_locked(*wait.target_.group_, is_dead);
      case Kind::group:
        break;
    }
    bool depends = false;
    for (RecordedWait* of = first_of_locked(wait.target_.group_); of != nullptr; of = of->next_) {
      if (is_dead(*of)) depends = true;
    }
    return depends;
  }

  template <class IsDead>
  bool slots_depend_locked(const Node& group, IsDead is_dead) const TG_REQUIRES(mutex_) {
    RecordedWait* const first = first_of_locked(&group);
    if (first == nullptr || first->holding_ < group.slots() || group.event().is_set() ||
        group.is_time_limited())
      return false;
    for (RecordedWait* of = first; of != nullptr; of = of->next_) {
      if (!of->lends_ && !is_dead(*of)) return false;
    }
    return true;
  }

  bool is_dead_locked(RecordedWait& wait) noexcept TG_REQUIRES(mutex_) {
    const std::uint64_t search = ++search_;
    RecordedWait* last = nullptr;
    const auto find = [&](RecordedWait& found) {
      if (found.search_ != search) {
        found.search_ = search;
        found.dead_ = true;
        found.found_before_ = std::exchange(last, &found);
        found.found_next_ = nullptr;
        if (found.found_before_ != nullptr) found.found_before_->found_next_ = &found;
      }
      return true;
    };
    find(wait);
    // All that it can depend on, each taken as dead at first.
    for (RecordedWait* of = &wait; of != nullptr; of = of->found_next_) of->dead_ = depends_locked(*of, find);
    // Backwards, because a chain is found from its waiting end to its running end.
    const auto is_dead = [search](const RecordedWait& of) { return of.search_ == search && of.dead_; };
    for (bool changed = true; changed && wait.dead_;) {
      changed = false;
      for (RecordedWait* of = last; of != nullptr; of = of->found_before_) {
        if (!of->dead_ || depends_locked(*of, is_dead)) continue;
        of->dead_ = false;
        changed = true;
      }
    }
    return wait.dead_;
  }

  // One of the group's waits that the search has left dead: the one that closes the cycle, if it is there.
  const RecordedWait* dead_one_locked(const Node& group, bool with_slot,
                                      const RecordedWait& from) const noexcept TG_REQUIRES(mutex_) {
    const RecordedWait* found = nullptr;
    for (const RecordedWait* of = first_of_locked(&group); of != nullptr; of = of->next_) {
      if (of->search_ != search_ || !of->dead_ || (with_slot && of->lends_)) continue;
      if (of == &from) return of;
      if (found == nullptr) found = of;
    }
    return found;
  }

  void describe_locked(RecordedWait& from, PathText& text) const TG_REQUIRES(mutex_) {
    text.add_task_of(*from.waiter_);
    std::vector<const RecordedWait*> described;
    for (const RecordedWait* at = &from; at != nullptr;) {
      described.push_back(at);
      text.add(" waits for ");
      const RecordedWait* const next = describe_target_locked(at->target_, from, text);
      bool closed = next == nullptr;
      for (const RecordedWait* before : described) closed = closed || before == next;
      if (closed) return;
      at = next;
      describe_waiter(*at, described.back()->target_, text);
    }
  }

  // Says what is waited for, and returns the wait that it depends on.
  const RecordedWait* describe_target_locked(const WaitTarget& target, const RecordedWait& from,
                                             PathText& text) const TG_REQUIRES(mutex_) {
    AwaitedTask task = target.task_;
    switch (target.kind_) {
      case Kind::group:
        text.add_group(*target.group_);
        return dead_one_locked(*target.group_, false, from);
      case Kind::slot:
      case Kind::room:
        text.add(target.kind_ == Kind::slot ? "a slot of " : "room in ");
        text.add_group(*target.group_);
        return dead_one_locked(*target.group_, true, from);
      case Kind::first_of:
        text.add("the first of several tasks, such as ");
        target.tasks_->all_of([&](const AwaitedTask& first) {
          task = first;
          return false;
        });
        break;
      case Kind::task:
        break;
    }
    text.add_task(task.name());
    if (const TaskContext* const on_stack = waiting_task_locked(task.task)) {
      text.add(" of ");
      text.add_group(*on_stack->node);
      return on_stack->recorded_wait;
    }
    Node* const group = group_of_pending_locked(task);
    if (group == nullptr) return nullptr;
    text.add(" of ");
    text.add_group(*group);
    text.add(", which has no slot");
    return dead_one_locked(*group, true, from);
  }

  // Continues from the target of a wait to the wait that blocks it.
  static void describe_waiter(const RecordedWait& wait, const WaitTarget& target, PathText& text) {
    const bool is_for_task = target.kind_ == Kind::task || target.kind_ == Kind::first_of;
    if (is_for_task) {
      const TaskContext* on_stack = wait.waiter_;
      while (on_stack != nullptr && on_stack->task != target.task_.task) on_stack = on_stack->outer;
      if (target.kind_ == Kind::first_of || on_stack == wait.waiter_) {
        text.add(", which");
        return;
      }
      if (on_stack != nullptr) {
        text.add(", which waits for ");
        text.add_task(wait.waiter_->task_name());
        text.add(", which");
        return;
      }
      text.add(" while ");
    } else {
      text.add(", whose ");
    }
    text.add_task(wait.waiter_->task_name());
  }

  static WaitGraph graph_;

  Mutex mutex_;
  std::uint64_t search_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t recorded_ TG_GUARDED_BY(mutex_) = 0;
  // Lists of the tasks in recorded waits, and of each group's first wait, by the address of task and group.
  std::array<const TaskContext*, kTaskBuckets> tasks_ TG_GUARDED_BY(mutex_){};
  std::array<RecordedWait*, kGroupBuckets> groups_ TG_GUARDED_BY(mutex_){};
};

constinit WaitGraph WaitGraph::graph_;

namespace {
[[gnu::constructor(runtime::at_load::kWaits)]] void hold_waits() { WaitGraph::hold_across_forks(); }
}  // namespace

void RecordedWait::note_events(const TaskContext& caller) noexcept {
  const Node* const innermost = innermost_node_of_caller();
  for (const Event* event : events_) {
    if (event == nullptr) continue;
    const bool is_own = innermost != nullptr && event == &innermost->event();
    if (is_own) scopes_ = runtime::Flow::current().scope;
    is_time_limited_ = is_time_limited_ || (is_own ? *innermost : *caller.node).is_time_limited();
  }
}

// Whether one of the events is set by itself some day. A grace may have begun after the wait.
bool RecordedWait::stops_by_itself() const noexcept {
  for (const Scope* scope = scopes_; scope != nullptr; scope = scope->outer()) {
    if (scope->node().is_in_grace()) return true;
  }
  return is_time_limited_;
}

void look_at_wait(const TaskContext& task, TimePoint now, RunningTask& seen) {
  const char* const what = task.wait_word.what();
  if (what == nullptr) return;
  const TimePoint since = task.wait_word.since();
  if (!since.is_never() && since < now) seen.waiting_for = now - since;
  seen.waits_for = WaitGraph::instance().text_of(task);
  if (seen.waits_for.empty()) seen.waits_for = what;
}

void RecordedWait::record(TaskContext& caller, OnCycle on_cycle) {
  PathText path;
  const bool report = on_cycle == OnCycle::report;
  if (!WaitGraph::instance().record(*this, caller, report, path)) return;
  if (!report) throw_deadlock(path.str());
  try {
    report_line({"deadlock: ", path.str()});
  } catch (const std::bad_alloc&) {
    report_line({"deadlock, and no memory to say which tasks wait"});
  }
}

void RecordedWait::take_out() noexcept {
  if (!is_of_parent()) return WaitGraph::instance().remove(*this);
  waiter_ = nullptr;  // a task that a join ran has forked: the graph of the child is empty
}

void throw_own_task(const TaskContext& caller, const AwaitedTask& task) {
  PathText path;
  path.add_task_of(caller);
  path.add(" waits for ");
  if (caller.task == task.task) {
    path.add("itself");
  } else {
    path.add_task(task.name());
    path.add(", which waits for it");
  }
  throw_deadlock(path.str());
}

bool is_part_of(const TaskContext* caller, const Node& group) {
  return caller != nullptr && Forest::instance().is_same_or_descendant(*caller->node, group);
}

bool waits_for_caller(const Node* top) {
  const Node* const busy = busy_node_of_caller();
  return busy != nullptr && Forest::instance().is_awaited(*busy, top);
}

void refuse_own_group(const Node& group) {
  if (!waits_for_caller(&group)) return;
  throw_deadlock(escaped(label_of_callers_task()) + " waits for group '" +
                 escaped(Forest::instance().path(group)) + "', which cannot end before this " +
                 (call_of_caller() != nullptr ? "call" : "task"));
}

}  // namespace tg::inline v0::detail
