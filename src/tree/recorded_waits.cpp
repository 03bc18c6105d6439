// SPDX-License-Identifier: Apache-2.0
// Where waits are recorded, the search among them, and the words for what it finds.
#include "tree/recorded_waits.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/escaped.hpp"
#include "base/planted.hpp"
#include "runtime/fork.hpp"

namespace tg::inline v0::detail {

constinit WaitGraph WaitGraph::graph_;

namespace {
[[gnu::constructor(runtime::at_load::kWaits)]] void hold_waits() { WaitGraph::hold_across_forks(); }
}  // namespace

void WaitGraph::hold_across_forks() {
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

// --- Records ---

void WaitGraph::insert_locked(RecordedWait& wait, const TaskContext& waiter) noexcept {
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
void WaitGraph::insert_those_below_locked(const TaskContext& top) noexcept {
  if (TG_PLANTED(graph_forgets_the_waits_below)) return;
  for (const TaskContext* task = &top; task != nullptr; task = task->outer) {
    RecordedWait* const wait = task->wait_for_inner;
    if (wait == nullptr || wait->is_of_parent()) continue;
    if (wait->waiter_ != nullptr) return;  // and so are those below
    insert_locked(*wait, *task);
  }
}

void WaitGraph::remove_locked(RecordedWait& wait) noexcept {
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

// The waits are the parent's: the stacks that they are on are gone.
void WaitGraph::forget_all_locked() noexcept {
  if (recorded_ == 0) return;
  recorded_ = 0;
  tasks_.fill(nullptr);
  groups_.fill(nullptr);
}

// The first of the waits of the group's tasks, or null. The group may be gone: only its address is looked
// at.
RecordedWait* WaitGraph::first_of_locked(const Node* group) const noexcept {
  RecordedWait* first = bucket_of(groups_, group);
  while (first != nullptr && first->waiter_->node != group) first = first->next_group_;
  return first;
}

const TaskContext* WaitGraph::waiting_task_locked(const Task* task) const noexcept {
  const TaskContext* found = bucket_of(tasks_, task);
  while (found != nullptr && found->task != task) found = found->next_waiting;
  return found;
}
// The group of a pending task, if one of its tasks is in a recorded wait: then it lives as long as the lock
// is held. The address alone may be that of a group that is gone, so the task is asked again.
Node* WaitGraph::group_of_pending_locked(const AwaitedTask& task) const noexcept {
  const RecordedWait* const first = first_of_locked(task.group);
  return first != nullptr && task.state() == AwaitedTask::State::pending ? first->waiter_->node : nullptr;
}

// --- The search ---

// Whether the wait cannot end before one for which `is_dead` says true.
template <class IsDead>
bool WaitGraph::depends_locked(const RecordedWait& wait, IsDead is_dead) const {
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
bool WaitGraph::slots_depend_locked(const Node& group, IsDead is_dead) const {
  RecordedWait* const first = first_of_locked(&group);
  if (first == nullptr || first->holding_ < group.slots() || group.event().is_set() ||
      group.is_time_limited())
    return false;
  for (RecordedWait* of = first; of != nullptr; of = of->next_) {
    if (!of->lends_ && !is_dead(*of)) return false;
  }
  return true;
}

bool WaitGraph::is_dead_locked(RecordedWait& wait) noexcept {
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

// All waits that cannot end before one another, as the result of a search.
std::vector<RecordedWait*> WaitGraph::all_dead_locked() {
  const std::uint64_t search = ++search_;
  std::vector<RecordedWait*> all;
  all.reserve(recorded_);
  for (RecordedWait* first : groups_) {
    for (; first != nullptr; first = first->next_group_) {
      for (RecordedWait* of = first; of != nullptr; of = of->next_) {
        of->search_ = search;
        of->dead_ = true;
        of->found_before_ = of->found_next_ = nullptr;
        all.push_back(of);
      }
    }
  }
  const auto is_dead = [search](const RecordedWait& of) { return of.search_ == search && of.dead_; };
  const auto can_end = [&](RecordedWait* of) TG_REQUIRES(mutex_) {
    of->dead_ = depends_locked(*of, is_dead);
    return !of->dead_;
  };
  while (std::erase_if(all, can_end) != 0) {
  }
  return all;
}

// --- What it has found, in words ---

// One of the group's waits that the search has left dead: this one, if it is among them.
RecordedWait* WaitGraph::dead_one_locked(const Node& group, bool with_slot,
                                         const RecordedWait& wanted) const noexcept {
  RecordedWait* found = nullptr;
  for (RecordedWait* of = first_of_locked(&group); of != nullptr; of = of->next_) {
    if (of->search_ != search_ || !of->dead_ || (with_slot && of->lends_)) continue;
    if (of == &wanted) return of;
    if (found == nullptr) found = of;
  }
  return found;
}

// The task that is waited for, or the first of them.
AwaitedTask WaitGraph::task_of(const WaitTarget& target) {
  AwaitedTask task = target.task_;
  if (target.kind_ == Kind::first_of) {
    target.tasks_->all_of([&](const AwaitedTask& first) {
      task = first;
      return false;
    });
  }
  return task;
}

// A dead wait that this one depends on: the wanted one, if it can be chosen. Null if none is known.
RecordedWait* WaitGraph::next_locked(const RecordedWait& of, const RecordedWait& wanted) const {
  const WaitTarget& target = of.target_;
  if (target.kind_ == Kind::group) return dead_one_locked(*target.group_, false, wanted);
  if (target.kind_ == Kind::slot || target.kind_ == Kind::room)
    return dead_one_locked(*target.group_, true, wanted);
  const AwaitedTask task = task_of(target);
  if (const TaskContext* const on_stack = waiting_task_locked(task.task)) return on_stack->recorded_wait;
  const Node* const group = group_of_pending_locked(task);
  return group != nullptr ? dead_one_locked(*group, true, wanted) : nullptr;
}

// Goes on from wait to wait until one comes again, or none is known.
template <class NextOf>
void WaitGraph::describe_locked(const RecordedWait& from, PathText& text, NextOf next_of) const {
  text.add_task_of(*from.waiter_);
  std::vector<const RecordedWait*> described;
  for (const RecordedWait* at = &from;;) {
    described.push_back(at);
    text.add(" waits for ");
    describe_target_locked(at->target_, text);
    const RecordedWait* const next = next_of(*at);
    if (next == nullptr || std::find(described.begin(), described.end(), next) != described.end()) return;
    describe_waiter(*next, at->target_, text);
    at = next;
  }
}

void WaitGraph::describe_target_locked(const WaitTarget& target, PathText& text) const {
  switch (target.kind_) {
    case Kind::group:
      return text.add_group(*target.group_);
    case Kind::slot:
    case Kind::room:
      text.add(target.kind_ == Kind::slot ? "a slot of " : "room in ");
      return text.add_group(*target.group_);
    case Kind::first_of:
      text.add("the first of several tasks, such as ");
      break;
    case Kind::task:
      break;
  }
  const AwaitedTask task = task_of(target);
  text.add_task(task.name());
  if (const TaskContext* const on_stack = waiting_task_locked(task.task)) {
    text.add(" of ");
    return text.add_group(*on_stack->node);
  }
  Node* const group = group_of_pending_locked(task);
  if (group == nullptr) return;
  text.add(" of ");
  text.add_group(*group);
  text.add(", which has no slot");
}

// Continues from the target of a wait to the wait that blocks it.
void WaitGraph::describe_waiter(const RecordedWait& wait, const WaitTarget& target, PathText& text) {
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

// True if the wait closes a cycle; then `path` names it, unless there is no memory.
bool WaitGraph::record(RecordedWait& wait, const TaskContext& waiter, bool keep_in_cycle, PathText& path) {
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
    describe_locked(wait, path,
                    [&](const RecordedWait& of) TG_REQUIRES(mutex_) { return next_locked(of, wait); });
  } catch (const std::bad_alloc&) {  // then it names what fitted
  }
  if (!keep_in_cycle) remove_locked(wait);
  return true;
}

// Names cycles that are there, so that each wait which cannot end leads to one of them.
void WaitGraph::describe_cycles(std::deque<PathText>& cycles) {
  MutexLock lock(mutex_);
  const std::vector<RecordedWait*> dead = all_dead_locked();
  // From each wait to the next, until one is met again: in the same walk, a cycle has been found.
  for (RecordedWait* const start : dead) {
    RecordedWait* at = start;
    while (at != nullptr && at->found_before_ == nullptr) {
      at->found_before_ = start;
      at = at->found_next_ = next_locked(*at, *at);
    }
    if (at != nullptr && at->found_before_ == start)
      describe_locked(*at, cycles.emplace_back(), [](const RecordedWait& one) { return one.found_next_; });
  }
}

// Empty if the task has no wait of its own here.
std::string WaitGraph::text_of(const TaskContext& task) {
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

}  // namespace tg::inline v0::detail
