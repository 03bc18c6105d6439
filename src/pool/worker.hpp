// SPDX-License-Identifier: Apache-2.0
// One worker: a flow that serves the queue of a group for as long as there is work and a slot.
#pragma once

#include <cstdint>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/task.hpp>

#include "pool/local_queue.hpp"
#include "pool/parts.hpp"
#include "pool/task_list.hpp"
#include "pool/task_queue.hpp"
#include "runtime/flow.hpp"
#include "tree/node.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

/// Serves a pool on the calling flow.
///
/// In each round it runs one task of the queue and then a turn of its local queue. If it finds nothing, it
/// looks some more times, and then leaves.
///
/// A flow that waits until the pool is idle may help meanwhile: it leaves as soon as it finds nothing.
///
/// Lifetime: on the stack of its flow. On a thread of the cache it holds a reference to the node until
/// `serve` returns (P4); for a helper the caller holds one.
class Worker {
 public:
  /// The job of a thread; the argument is the `PoolParts`.
  static void main(void* pool) noexcept;

  /// A task of the pool waits for another one: see `Node::run_now`.
  static bool run_now(PoolParts& pool, Task& task_waited_for) noexcept;
  /// See `Pool::help` and `Pool::help_with`.
  static bool help(PoolParts& pool, GroupStatistics& counts) noexcept;
  static bool help_with(PoolParts& pool, const Task& wanted) noexcept;

 private:
  static bool may_help(PoolParts& pool) noexcept;
  enum class Role : std::uint8_t { thread, helper };
  Worker(PoolParts& pool, Role role) noexcept;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Runs tasks until there is nothing to do. True if the pool was idle as this worker left; `counts`, if not
  /// null, are those of that moment. False also if a helper found no task or no slot.
  bool serve(GroupStatistics* counts) noexcept {
    return is_limited_ ? run_rounds<true>(counts) : run_rounds<false>(counts);
  }
  bool serve_one(const Task& wanted) noexcept {
    return is_limited_ ? run_if_next<true>(wanted) : run_if_next<false>(wanted);
  }
  // Two instances, so that groups without limits do not pay for those with limits.
  template <bool kLimited>
  bool run_rounds(GroupStatistics* counts) noexcept;
  template <bool kLimited>
  bool run_if_next(const Task& wanted) noexcept;
  struct Left {
    bool idle;
    bool slot_is_free;  // for a lender
  };
  Left leave_locked(bool wants_another_turn, GroupStatistics* counts) noexcept
      TG_REQUIRES(pool_.queue.mutex());
  bool leaves_the_next_one_coming() noexcept;
  int run_from_local_queue() noexcept;
  bool is_last_look_locked() const noexcept TG_REQUIRES(pool_.queue.mutex());
  /// The same where no task of this worker is counted as running, so that the group may be gone from the
  /// forest: what the users' destructors make must not become its children.
  void release_delivered_outside() noexcept;
  void end_as_worker(Left left) noexcept;
  // What a limited group does before, at the start of and after each task: D3.
  bool needs_permits() const noexcept {
    return pool_.node.subtree_bound() != TaskContext::bounds_held(outer_task_);
  }
  bool take_permits_locked() noexcept TG_REQUIRES(pool_.queue.mutex());
  void has_begun() noexcept;
  void give_permits_back() noexcept;
  void set_caller(TaskContext* task, Event* event) noexcept {
    flow_.task = task;
    flow_.event = event;
    flow_.wait_word = task != nullptr ? &task->wait_word : nullptr;
  }

  PoolParts& pool_;
  const Role role_;
  runtime::Flow& flow_;
  // What the flow was in before: of a helper, the task that waits.
  TaskContext* const outer_task_;
  Event* const outer_event_;
  const bool is_limited_;  // see `Node::is_limited`
  LocalQueue local_;
  TaskContext context_;
  TaskQueue::Runner self_;
  TaskList delivered_;           // failures that a handle has delivered, to be released without a lock
  int looks_ = 0;                // since it last ran a task
  bool has_run_a_task_ = false;  // of a limited group
};

}  // namespace tg::inline v0::detail
