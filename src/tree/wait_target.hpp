// SPDX-License-Identifier: Apache-2.0
// What a flow waits for: a task, the first of several, an idle group, a slot, or room for a task.
#pragma once

#include <cstdint>
#include <string>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>

#include "tree/node.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

class WaitGraph;

/// A task that is waited for: what the graph needs to know of it, because this layer does not know tasks.
struct AwaitedTask {
  enum class State { pending, running, done };
  const Task* task = nullptr;
  const Node* group = nullptr;  // not to be followed: it may be gone once the task is done
  State (*state_of)(const Task&) noexcept = nullptr;
  std::string (*name_of)(const Task&) = nullptr;

  State state() const noexcept { return state_of(*task); }
  std::string name() const { return name_of(*task); }
};

/// Several tasks; the wait is for the first of them that ends. The list does not change while the wait is
/// recorded.
class AwaitedTasks {
 public:
  /// Calls `f` with each until it returns false. Returns true if it never did.
  virtual bool all_of(FunctionRef<bool(const AwaitedTask&)> f) const = 0;

 protected:
  ~AwaitedTasks() = default;
};

/// What a wait waits for.
class WaitTarget {
 public:
  enum class Kind : std::uint8_t { task, first_of, group, slot, room };

  explicit WaitTarget(const AwaitedTask& task) noexcept : kind_(Kind::task), task_(task) {}
  explicit WaitTarget(const AwaitedTasks& tasks) noexcept : kind_(Kind::first_of), tasks_(&tasks) {}
  static WaitTarget idleness_of(Node& group) noexcept { return {Kind::group, group}; }
  static WaitTarget slot_of(Node& group) noexcept { return {Kind::slot, group}; }
  /// Room for one more pending task, which there is when one begins.
  static WaitTarget room_of(Node& group) noexcept { return {Kind::room, group}; }

  /// "task 'a'", as the rest of a sentence that begins with "waits for".
  TG_EXPORT std::string text() const;
  /// The same without names: a static text.
  const char* kind_text() const noexcept {
    switch (kind_) {
      case Kind::task:
        return "a task";
      case Kind::first_of:
        return "the first of several tasks";
      case Kind::group:
        return "a group to be idle";
      case Kind::room:
        return "room in a full group";
      default:
        return "a slot of its group";
    }
  }
  /// Whether the end of a task on that stack could end the wait. Requires: no other flow runs.
  TG_EXPORT bool could_be_ended_by(const TaskContext& running) const;

 private:
  friend class WaitGraph;
  WaitTarget(Kind kind, Node& group) noexcept : kind_(kind), group_(&group) {}

  Kind kind_;
  AwaitedTask task_;
  const AwaitedTasks* tasks_ = nullptr;
  Node* group_ = nullptr;
};

}  // namespace tg::inline v0::detail
