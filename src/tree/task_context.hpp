// SPDX-License-Identifier: Apache-2.0
// The task that a flow runs now.
#pragma once

#include <cstddef>
#include <string>

#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>

#include "runtime/flow.hpp"
#include "runtime/wait_word.hpp"
#include "tree/node.hpp"
#include "tree/task_note.hpp"

namespace tg::inline v0::detail {

class LocalQueue;
class RecordedWait;
class Task;

/// What a flow knows of the task that it runs. It is on the worker's stack, and the flow points to it.
struct TaskContext {
  Node* node = nullptr;
  Task* task = nullptr;
  std::string (*name_of)(const Task&) = nullptr;  // the tree does not know what a task looks like
  LocalQueue* local = nullptr;                    // the pool's own: what the tasks of this flow add to it
  bool slot_is_lent = false;                      // read and written only by its flow
  bool permits_are_lent = false;                  // likewise
  runtime::WaitWord wait_word = {};               // what it waits for
  mutable TaskNote note = {};                     // what it says of itself; written by its flow
  // The task that waits below on this stack, until this one is done: of the same group, or of one above it
  // that it joins.
  const TaskContext* outer = nullptr;
  // A wait of this task for the one that runs above it: see `RecordedWait::WhileItRuns`. Only its flow uses it.
  RecordedWait* wait_for_inner = nullptr;
  // The wait that this task is in, and the next one in a list of such tasks. The wait graph's, and its
  // lock's.
  mutable RecordedWait* recorded_wait = nullptr;
  mutable const TaskContext* next_waiting = nullptr;

  /// How many tasks of the group there are on this stack.
  std::size_t depth_in(const Node& group) const noexcept {
    std::size_t tasks = 0;
    for (const TaskContext* context = this; context != nullptr; context = context->outer) {
      if (context->node == &group) ++tasks;
    }
    return tasks;
  }
  std::size_t depth() const noexcept { return depth_in(*node); }
  bool holds(const Task& wanted) const noexcept {
    for (const TaskContext* context = this; context != nullptr; context = context->outer) {
      if (context->task == &wanted) return true;
    }
    return false;
  }

  /// The flow has a permit of this bound and of all above it; of none if it is null.
  static const SubtreeBound* bounds_held(const TaskContext* innermost) noexcept {
    if (innermost == nullptr || innermost->permits_are_lent) return nullptr;
    return innermost->node->subtree_bound();
  }

  std::string task_name() const { return task != nullptr ? name_of(*task) : std::string(); }

  /// The calling flow's, or null outside a task.
  static TaskContext* current() noexcept {
    const runtime::Flow* const flow = runtime::Flow::current_if_any();
    return flow != nullptr ? flow->task : nullptr;
  }
};

/// Lends the calling task's permits of `max_concurrent_in_subtree`, for a scope in which it waits for other
/// tasks.
///
/// D4: what a scope takes back, it takes back after the slot; so a scope that lends both makes this first.
class PermitsLent {
 public:
  /// Lends nothing if the task is null, has no bound above it, or has lent its permits already.
  explicit PermitsLent(TaskContext* task) noexcept
      : task_(task != nullptr && TaskContext::bounds_held(task) != nullptr ? task : nullptr) {
    if (task_ != nullptr) lend();
  }
  ~PermitsLent() {
    if (task_ != nullptr) take_back();
  }
  PermitsLent(const PermitsLent&) = delete;
  PermitsLent& operator=(const PermitsLent&) = delete;

 private:
  void lend() noexcept;
  void take_back() noexcept;
  TaskContext* const task_;
};

/// Lends the calling task's permits, and its slot to others of its group, for a scope in which it waits for one
/// of them.
///
/// A task has one slot: a wait inside a wait, as a predicate may do, lends nothing more.
class SlotLent {
 public:
  /// Lends nothing if the task is null. It lends what the task has not lent already; no slot, if the task does
  /// not wait for its own group.
  explicit SlotLent(TaskContext* task, bool waits_for_own_group = true) noexcept
      : permits_(task),
        task_(task != nullptr && waits_for_own_group && !task->slot_is_lent ? task : nullptr) {
    if (task_ == nullptr) return;
    task_->slot_is_lent = true;
    task_->node->lend_slot();
  }
  ~SlotLent() {
    if (task_ == nullptr) return;
    task_->node->reclaim_slot();
    task_->slot_is_lent = false;
  }
  SlotLent(const SlotLent&) = delete;
  SlotLent& operator=(const SlotLent&) = delete;

 private:
  const PermitsLent permits_;
  TaskContext* const task_;
};

/// A reason given by the calling flow: with the name of its task, if it runs one.
Reason reason_from_here(ReasonKind kind, std::string message, SourceLocation where);

}  // namespace tg::inline v0::detail
