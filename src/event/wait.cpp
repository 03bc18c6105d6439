// SPDX-License-Identifier: Apache-2.0
// THE wait.
#include "event/wait.hpp"

#include <algorithm>
#include <optional>

#include "base/planted.hpp"
#include "runtime/flow.hpp"
#include "runtime/sleep.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/wait_breaks.hpp"

namespace tg::inline v0::detail {

namespace {

bool any_set(const WatchedEvents& events) noexcept {
  for (const Event* event : events) {
    if (is_set(event)) return true;
  }
  return false;
}

// Keeps the flow linked in the queues for as long as it waits.
class Links {
 public:
  Links(runtime::Flow& flow, WaitQueue* source, const WatchedEvents& events)
      : nodes_{WaitNode(flow), WaitNode(flow), WaitNode(flow)},
        queues_{source, queue_of(events[0]), queue_of(events[1])} {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      if (queues_[i] != nullptr) queues_[i]->link(nodes_[i]);
    }
  }
  ~Links() {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      if (queues_[i] != nullptr) queues_[i]->unlink(nodes_[i]);
    }
  }
  // A source may release the flow for something other than what it waits for; then the flow links itself
  // again. An event is set once, so a link to one is needed once.
  void link_source_again() {
    if (queues_[0] != nullptr) queues_[0]->link(nodes_[0]);
  }

 private:
  static WaitQueue* queue_of(Event* event) noexcept { return event != nullptr ? &event->waiters() : nullptr; }

  std::array<WaitNode, 3> nodes_;
  std::array<WaitQueue*, 3> queues_;
};

WaitOutcome wait_on(WaitQueue* source, const FunctionRef<bool()>* ready, const WatchedEvents& events,
                    TimePoint deadline) {
  const auto outcome = [&]() -> std::optional<WaitOutcome> {
    if (ready != nullptr && (*ready)()) return WaitOutcome::ready;
    if (any_set(events)) return WaitOutcome::event_set;
    if (!deadline.is_never() && runtime::now() >= deadline) return WaitOutcome::timed_out;
    return std::nullopt;
  };

  if (const auto now = outcome()) return *now;
  runtime::Flow& me = runtime::Flow::current();
  for (Event* event : events) {
    if (event != nullptr && !TG_PLANTED(wait_does_not_watch)) event->watch();
  }
  // Where a flow can sleep on two words, one of them is that of the first event's gate: one call then wakes all who
  // wait for different things under one event.
  runtime::Gate* const gate =
      events[0] != nullptr && runtime::can_sleep_on_two_words() ? &events[0]->gate() : nullptr;
  if (gate != nullptr && !TG_PLANTED(wait_does_not_approach_the_gate)) gate->approach();
  Links links(me, source, {gate == nullptr ? events[0] : nullptr, events[1]});
  if (TG_PLANTED(wait_looks_only_before_it_links)) me.park_until(deadline);
  runtime::WaitBreaks* const breaks = runtime::WaitBreaks::of(me);
  for (;;) {
    if (const auto now = outcome()) return *now;
    if (breaks == nullptr) {
      me.spin_or_park_until(deadline, gate);
    } else {
      me.spin_or_park_until(std::min(deadline, breaks->next()), gate);
      breaks->look_if_due();
    }
    if (!TG_PLANTED(wait_does_not_link_again)) links.link_source_again();  // Q1: before we look
  }
}

// With nothing but one event to wait for, all waiters wait at its gate, and one call wakes them all.
WaitOutcome wait_at_gate(Event& event, TimePoint deadline) {
  for (;;) {
    if (event.is_set()) return WaitOutcome::event_set;
    if (!deadline.is_never() && runtime::now() >= deadline) return WaitOutcome::timed_out;
    event.watch();
    event.gate().approach();
    if (!TG_PLANTED(gate_waits_without_second_look) && event.is_set()) return WaitOutcome::event_set;
    event.gate().wait_until(deadline);
  }
}

}  // namespace

WaitOutcome wait(WaitQueue& source, FunctionRef<bool()> ready, const WatchedEvents& events,
                 TimePoint deadline) {
  return wait_on(&source, &ready, events, deadline);
}

WaitOutcome wait_unparked(FunctionRef<bool()> ready, const WatchedEvents& events, TimePoint deadline) {
  return wait_on(nullptr, &ready, events, deadline);
}

WaitOutcome wait(const WatchedEvents& events, TimePoint deadline) {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  const bool has_breaks = flow != nullptr && runtime::WaitBreaks::of(*flow) != nullptr;
  if (events[1] == nullptr && events[0] != nullptr && !has_breaks) return wait_at_gate(*events[0], deadline);
  return wait_on(nullptr, nullptr, events, deadline);
}

}  // namespace tg::inline v0::detail
