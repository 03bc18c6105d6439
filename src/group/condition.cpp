// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition.
#include <threadgroup/condition.hpp>

#include <stdexcept>

#include <threadgroup/errors.hpp>
#include <threadgroup/statistics.hpp>

#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "group/group_core.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/scope_entry.hpp"
#include "tree/task_context.hpp"

namespace tg {
inline namespace v0 {

const char* to_string(WaitStatus status) noexcept {
  switch (status) {
    case WaitStatus::condition_met:
      return "condition_met";
    case WaitStatus::event_set:
      return "event_set";
    case WaitStatus::timed_out:
      return "timed_out";
    case WaitStatus::group_idle:
      return "group_idle";
  }
  return "unknown";
}

namespace detail {

namespace {
bool idle_but_for(std::size_t own, const GroupStatistics& counts) {
  return counts.pending == 0 && counts.running <= own;
}
}  // namespace

WaitStatus wait_for_condition(GroupCore& core, Predicate predicate, Duration timeout,
                              const ConditionOptions& options, SourceLocation where) {
  if (options.interval <= Duration()) {
    throw std::invalid_argument("wait_for_condition on group '" + core.name() +
                                "': the interval must be above zero");
  }
  Pool& pool = core.pool();
  Event* const callers_event = event_of_caller();
  // The tasks on the caller's stack are running, but they cannot make true what the caller waits for.
  TaskContext* const caller = TaskContext::current();
  const bool own_group = caller != nullptr && caller->node == &core;
  const std::size_t own = own_group ? caller->depth() : 0;
  const SlotLent lent(caller, own_group);  // a task that waits for a slot may make it true
  const TimePoint deadline = runtime::after(timeout);
  for (;;) {
    // All of this is read before the predicate: what changes while it runs is seen in the next round.
    const std::uint64_t seen = pool.changes();
    const TimePoint now = runtime::now();
    const GroupStatistics counts = pool.statistics();

    const bool met = predicate();
    core.check_process("wait_for_condition");  // the predicate may have forked
    if (met) {
      Forest::instance().set_event(
          core,
          reason_from_here(ReasonKind::condition_met, "the condition that was waited for is true", where));
      return WaitStatus::condition_met;
    }
    if (core.event().is_set() || is_set(callers_event)) return WaitStatus::event_set;
    if (!deadline.is_never() && now >= deadline) return WaitStatus::timed_out;
    // Idle before the predicate and after it, and nothing ended in between: else it may have added tasks.
    if (options.stop_when_idle && idle_but_for(own, counts) && idle_but_for(own, pool.statistics()) &&
        pool.changes() == seen)
      return WaitStatus::group_idle;

    const TimePoint next_look = runtime::after(options.interval);
    const WaitNote note("a condition");
    static_cast<void>(wait(
        pool.change_waiters(), [&] { return pool.changes() != seen; }, {&core.event(), callers_event},
        next_look < deadline ? next_look : deadline));
  }
}

namespace {
GroupCore& core_of_caller(const char* operation) {
  Node* const group = group_of_caller();
  if (group == nullptr) {
    throw NoGroupError(std::string("thread_utils::") + operation +
                       ": this thread runs no task of a group; call " + operation +
                       " on the ThreadGroup that you mean");
  }
  return static_cast<GroupCore&>(*group);
}
}  // namespace
}  // namespace detail

namespace thread_utils {

WaitStatus wait_for_condition(Predicate predicate, Duration timeout, const ConditionOptions& options,
                              SourceLocation where) {
  return detail::wait_for_condition(detail::core_of_caller("wait_for_condition"), predicate, timeout, options,
                                    where);
}

void notify() { detail::core_of_caller("notify").pool().notify(); }

}  // namespace thread_utils
}  // namespace v0
}  // namespace tg
