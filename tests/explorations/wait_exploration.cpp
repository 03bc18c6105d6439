// SPDX-License-Identifier: Apache-2.0
// The queue of waiters, the event, and THE wait.
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/wait_queue.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <new>

#include "event/event.hpp"
#include "event/wait.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"

#include "explorations/explore.hpp"
#include "support/set_event.hpp"

namespace tg::test {
namespace wait_exploration {
namespace {

using detail::Atomic;
using detail::Event;
using detail::SharedReason;
using detail::WaitNode;
using detail::WaitQueue;
using runtime::Flow;

TG_EXPLORATION(WaitQueueExploration, a_node_is_not_touched_after_unlink) {
  alignas(WaitNode) std::array<std::byte, sizeof(WaitNode)> memory;
  WaitQueue queue;
  together({{"waiter",
             [&] {
               auto* const node = ::new (memory.data()) WaitNode(Flow::current());
               queue.link(*node);
               queue.unlink(*node);
               node->~WaitNode();
               reuse(memory.data(), memory.size());
               std::memset(memory.data(), 0x5A, memory.size());
             }},
            {"releaser", [&] { queue.release_all(); }}});
  for (const std::byte byte : memory)
    require(byte == std::byte{0x5A}, "the memory of the node is its owner's");
}
TG_FINDS(WaitQueueExploration, a_node_is_not_touched_after_unlink, wait_queue_leaves_before_released, 6000)
TG_SEARCH_FINDS(WaitQueueExploration, a_node_is_not_touched_after_unlink, wait_queue_leaves_before_released,
                30)
TG_IN_WEAK_MEMORY(WaitQueueExploration, a_node_is_not_touched_after_unlink)
TG_FINDS(WaitQueueExploration, a_node_is_not_touched_after_unlink_in_weak_memory,
         wait_queue_releaser_publishes_nothing, 4000)
TG_FINDS(WaitQueueExploration, a_node_is_not_touched_after_unlink_in_weak_memory,
         wait_queue_waiter_sees_nothing, 4000)

TG_EXPLORATION(WaitExploration, a_source_becomes_ready) {
  WaitQueue source;
  Atomic<bool> ready{false};
  together({{"waiter",
             [&] {
               require(
                   detail::wait(
                       source, [&] { return ready.load(); }, {}, TimePoint::never()) == WaitOutcome::ready,
                   "the wait ended because its source is ready");
             }},
            {"releaser", [&] {
               ready.store(true);
               source.release_all();
             }}});
}
TG_FINDS(WaitExploration, a_source_becomes_ready, wait_looks_only_before_it_links, 200)
TG_SEARCH_FINDS(WaitExploration, a_source_becomes_ready, wait_looks_only_before_it_links, 30)
TG_IN_WEAK_MEMORY(WaitExploration, a_source_becomes_ready)
TG_FINDS(WaitExploration, a_source_becomes_ready_in_weak_memory, wait_queue_link_is_not_ordered, 200)

// The source is released twice, and only the second time is what the waiter waits for.
TG_EXPLORATION(WaitExploration, a_source_is_released_for_others_first) {
  WaitQueue source;
  Atomic<int> count{0};
  const auto wait = [&] {
    static_cast<void>(detail::wait(
        source, [&] { return count.load() == 2; }, {}, TimePoint::never()));
  };
  together({{"first", wait}, {"second", wait}, {"releaser", [&] {
                                                  for (int i = 0; i < 2; ++i) {
                                                    count.fetch_add(1);
                                                    source.release_all();
                                                  }
                                                }}});
}
TG_FINDS(WaitExploration, a_source_is_released_for_others_first, wait_does_not_link_again, 500)
TG_SEARCH_FINDS(WaitExploration, a_source_is_released_for_others_first, wait_does_not_link_again, 30)
TG_FINDS(WaitExploration, a_source_is_released_for_others_first, wait_queue_keeps_its_epoch, 500)
TG_SEARCH_FINDS(WaitExploration, a_source_is_released_for_others_first, wait_queue_keeps_its_epoch, 30)

void wait_until_stopped(WaitQueue& source, Event& event) {
  require(detail::wait(
              source, [] { return false; }, {&event, nullptr}, TimePoint::never()) == WaitOutcome::event_set,
          "the event ended the wait");
}

TG_EXPLORATION(WaitExploration, an_event_ends_the_wait_for_a_source) {
  WaitQueue source;
  Event event;
  together({{"waiter", [&] { wait_until_stopped(source, event); }}, {"setter", [&] { set(event); }}});
}
TG_FINDS(WaitExploration, an_event_ends_the_wait_for_a_source, wait_does_not_watch, 200)
TG_SEARCH_FINDS(WaitExploration, an_event_ends_the_wait_for_a_source, wait_does_not_watch, 10)
TG_IN_WEAK_MEMORY(WaitExploration, an_event_ends_the_wait_for_a_source)
TG_FINDS(WaitExploration, an_event_ends_the_wait_for_a_source_in_weak_memory, event_mark_is_not_ordered, 100)
TG_FINDS(WaitExploration, an_event_ends_the_wait_for_a_source_in_weak_memory, event_look_is_not_ordered, 100)

// One sleeps on its own word and the event's. The source may be ready in the same moment.
TG_EXPLORATION(WaitExploration, the_gate_ends_the_wait_for_a_source) {
  explore_two_words();
  WaitQueue source;
  Event event;
  Atomic<bool> ready{false};
  const auto wait = [&] {
    const WaitOutcome outcome = detail::wait(
        source, [&] { return ready.load(); }, {&event, nullptr}, TimePoint::never());
    require(outcome == WaitOutcome::ready || event.is_set(), "the source or the event ended the wait");
  };
  together({{"first", wait}, {"second", wait}, {"setter", [&] { set(event); }}, {"releaser", [&] {
                                                                                   ready.store(true);
                                                                                   source.release_all();
                                                                                 }}});
}
TG_EXPLORATION(WaitExploration, the_gate_alone_ends_the_wait_for_a_source) {
  explore_two_words();
  WaitQueue source;
  Event event;
  together({{"waiter", [&] { wait_until_stopped(source, event); }},
            {"other", [&] { source.release_all(); }},
            {"setter", [&] { set(event); }}});
}
TG_FINDS(WaitExploration, the_gate_alone_ends_the_wait_for_a_source, wait_does_not_approach_the_gate, 200)
TG_SEARCH_FINDS(WaitExploration, the_gate_alone_ends_the_wait_for_a_source, wait_does_not_approach_the_gate,
                50)
TG_IN_WEAK_MEMORY(WaitExploration, the_gate_alone_ends_the_wait_for_a_source)

TG_EXPLORATION(WaitExploration, an_event_lets_all_through_its_gate) {
  Event event;
  const auto wait = [&] {
    require(detail::wait({&event, nullptr}, TimePoint::never()) == WaitOutcome::event_set,
            "the event is set");
  };
  together({{"first", wait}, {"second", wait}, {"setter", [&] { set(event); }}});
}
TG_FINDS(WaitExploration, an_event_lets_all_through_its_gate, gate_waits_without_second_look, 500)
TG_SEARCH_FINDS(WaitExploration, an_event_lets_all_through_its_gate, gate_waits_without_second_look, 50)
TG_IN_WEAK_MEMORY(WaitExploration, an_event_lets_all_through_its_gate)
TG_FINDS(WaitExploration, an_event_lets_all_through_its_gate_in_weak_memory, event_watch_is_not_ordered, 200)
TG_FINDS(WaitExploration, an_event_lets_all_through_its_gate_in_weak_memory,
         event_look_for_watchers_is_not_ordered, 100)

// What the forest does for the nodes of a subtree: it marks many events, and then looks for waiters.
TG_WEAK_EXPLORATION(WaitExploration, two_events_are_marked_before_waiters_are_looked_for) {
  std::array<Event, 2> events;
  const auto wait = [&](Event& event) {
    require(detail::wait({&event, nullptr}, TimePoint::never()) == WaitOutcome::event_set,
            "the event is set");
  };
  together({{"first", [&] { wait(events[0]); }},
            {"second", [&] { wait(events[1]); }},
            {"setter", [&] {
               const auto reason = detail::ReasonPointer::adopt(new SharedReason(Reason{}));
               reason.get()->add_references(2);
               for (Event& event : events) event.mark_one_of_many(reason.get());
               Event::order_marks();
               for (Event& event : events)
                 if (event.is_watched()) event.release_waiters();
             }}});
}
TG_FINDS(WaitExploration, two_events_are_marked_before_waiters_are_looked_for, event_marks_have_no_fence, 200)

// Of a source, two events and a deadline, the outcome is one that has come.
TG_EXPLORATION(WaitExploration, everything_comes_at_once) {
  WaitQueue source;
  Atomic<bool> ready{false};
  Event first;
  Event second;
  together({{"waiter",
             [&] {
               const TimePoint deadline = runtime::after(Duration::from_nanos(1'000'000));
               switch (detail::wait(
                   source, [&] { return ready.load(); }, {&first, &second}, deadline)) {
                 case WaitOutcome::ready:
                   return require(ready.load(), "the source is ready");
                 case WaitOutcome::event_set:
                   return require(first.is_set() || second.is_set(), "an event is set");
                 default:
                   return require(runtime::now() >= deadline, "the deadline has come");
               }
             }},
            {"releaser",
             [&] {
               ready.store(true);
               source.release_all();
             }},
            {"first setter", [&] { set(first); }},
            {"second setter", [&] { set(second); }}});
}

}  // namespace
}  // namespace wait_exploration
}  // namespace tg::test
