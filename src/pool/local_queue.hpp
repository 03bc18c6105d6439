// SPDX-License-Identifier: Apache-2.0
// The tasks that the tasks of one worker add to their own group.
#pragma once

#include <cstdint>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/call_site.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/task.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/statistics.hpp>

#include "base/cache_line.hpp"
#include "event/event.hpp"
#include "pool/pending_list.hpp"
#include "pool/task_list.hpp"
#include "runtime/fork.hpp"
#include "runtime/polled_mutex.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

// A task that runs, as others see it. It is on the stack of the flow that runs it.
struct RunningHere {
  // Null: it runs no task, but ends one.
  explicit RunningHere(const TaskContext* by = nullptr) noexcept : context(by) {}
  void begin(Task& task, TimePoint now) noexcept {
    named = task.given_name() == nullptr ? nullptr : &task;
    number = task.number();
    call_site = task.call_site();
    since = now;
  }
  void end() noexcept {
    named = nullptr;
    number = 0;
  }
  RunningTask look(TimePoint now) const;
  bool is_in_forked_child() const noexcept { return runtime::fork_generation() != fork_generation; }

  // Guarded by the pool's lock, or by that of the local queue from which the task came.
  Task* named = nullptr;     // the task, if it has a name; valid until `Running::run` releases it
  std::uint64_t number = 0;  // the task's number, until it is counted as done; else 0
  TimePoint since;
  RunningHere* outer = nullptr;  // of a local queue: the task that waits for this one, on the same stack
  CallSite call_site;
  // Constant after construction.
  const TaskContext* const context;  // says what the task waits for
  const std::uint32_t fork_generation = runtime::fork_generation();
};

// A queue that one worker fills and serves, with a lock of its own. Other threads take it rarely: to look for
// work, to steal, to claim or skip a task, and to count. A worker without work may move the tasks into the
// pool's queue.
//
//     Task* task = local.begin(here, now);    // the worker
//     queue_ = local.take_all_if_stale();  // another worker, under the pool's lock
//
// Invariants
//   L1. While tasks that were moved from here, or were added by this thread before, may be in the pool's
//       queue, none is begun from here, except one that another task waits for.
//   L2. Each step of a task (added, begun, ended) changes the list and the counts under one hold of the lock,
//       and tasks move to the pool's queue under the pool's lock: see P1.
//   L3. Tasks are here in the order of their numbers, they move as a whole, and numbers grow from one queue
//       of an index to the next. So a pending task whose home is this index is here if and only if its number
//       is not below that of the first task.
//
// Thread safety: as said at each function. Lifetime: on the worker's stack; the pool knows it from the first
// task on, until the worker leaves.
class alignas(kCacheLine) LocalQueue {
 public:
  struct Counts {
    std::uint64_t added = 0;
    std::uint64_t begun = 0;
    std::uint64_t succeeded = 0;
    std::uint32_t running = 0;
  };
  enum class Added {
    queued,
    call_worker,  // queued, and the caller must start a worker: see P5
    refused,      // the event is set: counted, and still the caller's
  };
  enum class Use : std::uint8_t { not_asked, open, refused };

  LocalQueue() = default;
  LocalQueue(const LocalQueue&) = delete;
  LocalQueue& operator=(const LocalQueue&) = delete;

  // --- For the worker ---
  // Whether the pool knows this queue. Once refused it stays so, for the sake of the order.
  Use use = Use::not_asked;
  // Task numbers, taken from the pool in growing batches.
  bool has_number() const noexcept { return next_number_ != numbers_end_; }
  std::uint64_t next_number() noexcept { return next_number_++; }
  void take_numbers(std::uint64_t& from) noexcept;
  void return_numbers(std::uint64_t& to) const noexcept;

  Added add(Task& task, const Event& event, Atomic<bool>& call_worker) noexcept;
  // The next task, now counted as running; null if there is none, or L1 forbids.
  Task* begin(RunningHere& here, TimePoint now) noexcept;
  // Begins this task, which the task that the worker runs waits for, wherever it is in the queue. False if it
  // is not here.
  bool claim(ClaimableTask& wanted, RunningHere& here, TimePoint now) noexcept;
  void end(RunningHere& here, TaskStatus status) noexcept;
  // The task has ended, and is about to be destroyed with its name.
  void forget_name(RunningHere& here) noexcept;
  // Ends a task that succeeded, and begins the next.
  Task* end_and_begin(RunningHere& here, TimePoint now) noexcept;
  // Lifts what L1 forbids: the pool's queue was seen empty, under the pool's lock.
  void moved_ones_have_begun() noexcept;
  // The worker's thread may have added tasks that are in the pool's queue: L1 holds for them, too.
  void earlier_ones_are_in_pool() noexcept;

  // --- For all workers, under the pool's lock ---
  bool empty() const noexcept;
  Counts counts() const noexcept;
  const Counts& counts_held() const noexcept TG_REQUIRES(mutex_) { return counts_; }
  PendingList take_all() noexcept;
  // For the tasks that will be ended without having begun.
  TaskList take_all_to_end() noexcept;
  enum class Taken { taken, elsewhere, begun };
  // Takes out a task that another flow waits for, counted as begun.
  Taken take(ClaimableTask& wanted) noexcept;
  // All, if the first one is the same as in the last call. Until then a worker that is busy adding, or about
  // to run it itself, is not disturbed: a fetch would cost both of them more than the task.
  PendingList take_all_if_stale() noexcept;
  void append_running(std::vector<RunningTask>& running, TimePoint now) const;
  bool runs_one_of(const std::vector<std::uint64_t>& sorted_numbers) const noexcept;

  runtime::PolledMutex& mutex() const noexcept TG_RETURN_CAPABILITY(mutex_) { return mutex_; }

  // The pool's list, guarded by the pool's lock.
  LocalQueue* previous = nullptr;
  LocalQueue* next = nullptr;
  std::uint8_t index = 0;  // from 1 on, while it is open

 private:
  Task* begin_next_locked(RunningHere& here, TimePoint now) noexcept TG_REQUIRES(mutex_);
  void begin_locked(Task& task, RunningHere& here, TimePoint now) noexcept TG_REQUIRES(mutex_) {
    ++counts_.begun;
    ++counts_.running;
    here.begin(task, now);
    here.outer = innermost_;
    innermost_ = &here;
  }
  void end_locked(RunningHere& here, TaskStatus status) noexcept TG_REQUIRES(mutex_);
  bool is_here_locked(const ClaimableTask& task) const noexcept TG_REQUIRES(mutex_);

  // The worker's.
  std::uint64_t next_number_ = 0;
  std::uint64_t numbers_end_ = 0;
  std::uint64_t share_ = 1;

  mutable runtime::PolledMutex mutex_;
  bool moved_ TG_GUARDED_BY(mutex_) = false;  // L1
  PendingList tasks_ TG_GUARDED_BY(mutex_);
  std::uint64_t seen_first_ TG_GUARDED_BY(mutex_) = 0;  // for `take_all_if_stale`: what was first last time
  RunningHere* innermost_ TG_GUARDED_BY(mutex_) = nullptr;
  Counts counts_ TG_GUARDED_BY(mutex_);
};

}  // namespace tg::inline v0::detail
