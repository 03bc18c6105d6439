// SPDX-License-Identifier: Apache-2.0
// Which task waits for what, and the refusal of a wait that closes a cycle: the one deadlock check.
//
// A wait without a time limit that a task is about to park in is recorded: what it waits for, which tasks are
// on its stack, which event ends it early, and whether its slot is lent meanwhile. Then, under the same hold
// of the one lock, the graph is searched from the new wait on. A recorded wait is *dead* if what it waits for
// cannot happen before another dead wait ends:
//
//   for a task      it is on the stack of a dead wait; or it is pending, and all slots of its group are held
//                   by dead waits
//   for a group     one of its tasks is on the stack of a dead wait
//   for the first   of several tasks: each of them is as above
//   for a slot      all slots of the group are held by dead waits
//   for room        likewise: there is room when a pending task begins
//
// The search first takes all waits that the new one can depend on as dead. Then it removes those that can end
// in another way, until no more can be removed. If the new one is among the rest, it is refused.
//
// What does not make a cycle: a wait with a time limit, or of a group with one, its own or an inherited one,
// because it ends by itself, as does one in a shield of the waiting task whose grace has begun; a wait whose
// event is set, because it is over; a wait for a condition, an event, a time or a key of a vault, because any
// thread may end it. That another thread could set an event, or clear the pending tasks, does not count as
// another way to end: that is how a program resolves a deadlock from outside.
//
// Invariants
//   G1. A flow records its wait before it parks in it, and before it lends its slot for it; it takes the
//       record out before it does anything else. Both take the lock. So while the lock is held, a flow with
//       a record runs no code of a task: the tasks on its stack do not end, and it keeps the slot that the
//       record says it holds.
//   G2. A wait is recorded and its search made under one hold of the lock. So of two waits that close a
//       cycle together the second one finds both.
//   G3. A flow that waits for one task and runs it itself may be without a record as long as that task does
//       not wait. When it does, the waits below it on the stack are recorded together with its own, under one
//       hold of the lock. This changes nothing for a search: while the task above runs, it is not on the
//       stack of a dead wait, so a wait for it is not dead.
//
// Why no wait is refused in error: let D be the waits that a search leaves as dead. The links were read at
// various times, but under one hold of the lock, during which each flow in D is in its wait (G1). A link to a
// task on the stack of such a flow holds for the whole time, as does a count of slots that such flows hold. A
// pending task begins in a slot of its own, or on the stack of a task that holds one and waits for it. The
// bound allows no more slots than those that D holds, and none of D runs a task in its wait. (C1 of
// src/pool/slots.hpp has an exception, for groups whose event is set; for these no pending task counts.) An
// event that was seen unset was unset at the start of the hold, too. So at that moment all of D waited for
// one another, and no wait in D can be the first to end, unless its event is set. The new wait is one of D.
//
// What is missed: cycles through the program's own locks and queues; through calls of `abandonable`, except a
// call's wait for a group that waits for it (and also that one in a call that was made by another one while it
// was `Attached` to a group); through waits that the list above leaves out; and a cycle that is closed by a flow
// that takes its slot back or by a group's destructor, which cannot throw: that is named on stderr, and each later
// wait for a part of it is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/duration.hpp>
#include <threadgroup/statistics.hpp>

#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/fork.hpp"
#include "tree/node.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_target.hpp"

namespace tg::inline v0::detail {

class WaitGraph;

/// Refuses a wait that the caller can see to be cyclic without looking at others: for a task on its own
/// stack, and for a group that waits for the caller. It applies to waits with a time limit, too. Throws
/// `std::system_error` (`resource_deadlock_would_occur`).
[[noreturn]] void throw_own_task(const TaskContext& caller, const AwaitedTask& task);
void refuse_own_group(const Node& group);
/// Whether the task is one of the group or of a group below it.
bool is_part_of(const TaskContext* caller, const Node& group);
/// Whether this group, or (null) any group, is not idle before the calling flow is done: that runs a task of the group or
/// below it, or a call for such a task, and is in no call that is left behind.
bool waits_for_caller(const Node* top);

/// What a running task waits for and since when, as far as others can see. The lock of the task's group, or of
/// its local queue, is held, so that the task stays; and the forest's, so that the groups of the tasks that it
/// waits for do.
void look_at_wait(const TaskContext& task, TimePoint now, RunningTask& seen);

/// Cycles of recorded waits that were not refused, as "task 'a' of group 'g' waits for ...": each wait that cannot end leads to one of them.
/// Takes the graph's lock, and after that the forest's. Throws `std::bad_alloc`.
std::vector<std::string> describe_deadlocks();

/// A wait in the graph, for as long as the object lives or until `end`.
///
///     if (is_there()) return;
///     RecordedWait recorded(caller, WaitTarget(task), event, deadline, lends);   // may throw
///     const SlotLent lent(caller, lends);
///     const auto outcome = wait(...);
///     recorded.end();                                            // before the slot is waited for
///
/// Requires: it is made and ended by the flow that waits, which holds no lock. The target outlives the wait.
/// Guarantees: throws `std::system_error` (`resource_deadlock_would_occur`) that names the path if the wait
/// closes a cycle; or, for a caller that cannot fail, names it on stderr. Outside a task, and with a
/// deadline, it does nothing.
/// Thread safety: belongs to one flow.
class RecordedWait : public WaitNote {
 public:
  enum class OnCycle : std::uint8_t { refuse, report };

  /// `events` are those that end the wait early, if any. `lends` says that the caller's slot is free for
  /// others during the wait.
  RecordedWait(TaskContext* caller, const WaitTarget& target, const WatchedEvents& events, TimePoint deadline,
               bool lends, OnCycle on_cycle = OnCycle::refuse)
      : WaitNote(&RecordedWait::describe, target.kind_text()), target_(target), events_(events) {
    if (caller == nullptr || caller->task == nullptr || !deadline.is_never()) return;
    lends_ = lends || caller->slot_is_lent;
    note_events(*caller);
    record(*caller, on_cycle);
  }
  /// For a wait for one task that the flow runs meanwhile, on the same stack. It can be part of a cycle only
  /// while that task waits, too, and is recorded when it does (G3). So most of these waits take no lock.
  struct WhileItRuns {};
  RecordedWait(TaskContext* caller, const WaitTarget& target, const WatchedEvents& events, WhileItRuns)
      : WaitNote(&RecordedWait::describe, ForNoFlow()), target_(target), events_(events) {
    if (caller == nullptr || caller->task == nullptr) return;
    lends_ = caller->slot_is_lent;
    note_events(*caller);
    runs_it_ = caller;
    caller->wait_word.begin(target.kind_text());
    previous_of_caller_ = std::exchange(caller->wait_for_inner, this);
  }
  ~RecordedWait() { end(); }
  RecordedWait(const RecordedWait&) = delete;
  RecordedWait& operator=(const RecordedWait&) = delete;

  /// What the flow waits for, if it is one of these.
  static const RecordedWait* of(const runtime::Flow& flow) noexcept {
    const WaitNote* const note = flow.wait_note;
    return note != nullptr && note->kind() == &describe ? static_cast<const RecordedWait*>(note) : nullptr;
  }
  const WaitTarget& target() const noexcept { return target_; }

  void end() noexcept {
    end_note();
    if (runs_it_ != nullptr) {
      runs_it_->wait_word.end();
      std::exchange(runs_it_, nullptr)->wait_for_inner = previous_of_caller_;
    }
    if (waiter_ != nullptr) take_out();
  }

 private:
  friend class WaitGraph;
  static std::string describe(const WaitNote& wait) {
    return static_cast<const RecordedWait&>(wait).target_.text();
  }
  void note_events(const TaskContext& caller) noexcept;
  bool stops_by_itself() const noexcept;
  void record(TaskContext& caller, OnCycle on_cycle);
  void take_out() noexcept;
  bool is_of_parent() const noexcept { return fork_generation_ != runtime::fork_generation(); }

  // Constant while it is recorded.
  const WaitTarget target_;
  const WatchedEvents events_;
  const TaskContext* waiter_ = nullptr;  // the innermost task that waits; null while this is not recorded
  bool lends_ = false;
  bool is_time_limited_ = false;    // one of the events is that of a node with a time limit
  const Scope* scopes_ = nullptr;   // the flow's, if one of the events is its own; they stay meanwhile
  TaskContext* runs_it_ = nullptr;  // of `WhileItRuns`, until the end
  RecordedWait* previous_of_caller_ = nullptr;  // likewise
  const std::uint32_t fork_generation_ = runtime::fork_generation();

  // Guarded by the graph's lock.
  RecordedWait* previous_ = nullptr;  // of the same group
  RecordedWait* next_ = nullptr;
  RecordedWait* next_group_ = nullptr;    // of a group's first one: that of another group
  std::size_t holding_ = 0;               // of a group's first one: how many of the group hold their slots
  RecordedWait* found_before_ = nullptr;  // of the same search
  RecordedWait* found_next_ = nullptr;
  std::uint64_t search_ = 0;
  bool dead_ = false;
};

}  // namespace tg::inline v0::detail
