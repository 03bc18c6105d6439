// SPDX-License-Identifier: Apache-2.0
// The wait of an adder for room.
#include "pool/room.hpp"

#include <optional>
#include <system_error>

#include "base/planted.hpp"
#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "tree/forest.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

ReasonPointer Room::take(Node& group, FunctionRef<bool()> is_stuck) {
  if (try_take()) return {};
  TaskContext* const caller = TaskContext::current();
  const bool is_own = caller != nullptr && caller->node == &group;
  if (!is_own && waits_for_caller(&group)) {
    take_anyway();
    return {};
  }
  Event* const callers = event_of_caller() != &group.event() ? event_of_caller() : nullptr;
  const WatchedEvents events{&group.event(), callers};
  std::optional<RecordedWait> recorded;
  try {
    recorded.emplace(caller, WaitTarget::room_of(group), events, TimePoint::never(), is_own);
  } catch (const std::system_error&) {  // a cycle
    take_anyway();
    return {};
  }
  const SlotLent lent(caller, is_own && !TG_PLANTED(room_adder_keeps_its_slot));
  Permits::Waiter waiter(runtime::Flow::current());
  bool stuck = false;
  const WaitOutcome outcome = wait_unparked(  // by the flow that gives room back
      [&] {
        if (room_.take_or_wait(waiter)) return true;
        stuck = is_own && is_stuck();
        return stuck;
      },
      events, TimePoint::never());
  recorded->end();
  if (outcome == WaitOutcome::ready && !stuck) return {};
  const bool has_room = room_.withdraw(waiter);
  if (outcome == WaitOutcome::ready) {
    if (!has_room) take_anyway();
    return {};
  }
  if (has_room) give_back();
  return group.event().is_set() ? group.event().reason() : callers->reason();
}

}  // namespace tg::inline v0::detail
