// SPDX-License-Identifier: Apache-2.0
// Adders that wait for room, and the permits that are handed out in order.
#include <threadgroup/thread_group.hpp>

#include <array>
#include <optional>

#include "event/wait.hpp"
#include "runtime/flow.hpp"
#include "tree/permits.hpp"

#include "explorations/explore.hpp"
#include "explorations/signals.hpp"

namespace tg::test {
namespace room_exploration {
namespace {

using detail::Permits;

void wait_for_permit(Permits& permits) {
  Permits::Waiter waiter(runtime::Flow::current());
  detail::WaitQueue no_queue;
  static_cast<void>(detail::wait(
      no_queue, [&] { return permits.take_or_wait(waiter); }, {}, TimePoint::never()));
}

// Two flows take turns at one permit (D1).
TG_EXPLORATION(RoomExploration, each_waiter_gets_a_permit) {
  Permits permits(1);
  detail::Atomic<int> holders{0};
  const auto use = [&] {
    for (int i = 0; i < 2; ++i) {
      wait_for_permit(permits);
      require(holders.fetch_add(1) == 0, "one flow has the permit at a time");
      holders.fetch_sub(1);
      permits.give_back();
    }
  };
  together({{"one", use}, {"another", use}});
  require(permits.try_take() && !permits.try_take(), "the permit is free, once");
}
TG_FINDS(RoomExploration, each_waiter_gets_a_permit, permits_wake_no_one, 500)

// Two permits come back at once for two flows that wait (D1).
TG_EXPLORATION(RoomExploration, a_newcomer_comes_after_those_who_wait) {
  Permits permits(2);
  for (int i = 0; i < 2; ++i) permits.take_anyway();
  std::array<std::optional<Permits::Waiter>, 2> waiters;
  for (auto& waiter : waiters)
    require(!permits.take_or_wait(waiter.emplace(runtime::Flow::current())), "none is free");
  together({{"gives back", [&] { permits.give_back(2); }},
            {"comes later", [&] { require(!permits.try_take(), "others wait"); }}});
  for (auto& waiter : waiters) require(permits.take_or_wait(*waiter), "each has its permit");
}
TG_FINDS(RoomExploration, a_newcomer_comes_after_those_who_wait, permits_newcomer_overtakes, 500)

// One of the two waiters leaves as the permit comes: the other one has it then (D2).
TG_EXPLORATION(RoomExploration, a_waiter_that_leaves_hands_its_permit_on) {
  Permits permits(1);
  permits.take_anyway();
  Permits::Waiter leaves(runtime::Flow::current());
  require(!permits.take_or_wait(leaves), "none is free");
  together({{"stays", [&] { wait_for_permit(permits); }},
            {"leaves",
             [&] {
               if (permits.withdraw(leaves)) permits.give_back();
             }},
            {"gives back", [&] { permits.give_back(); }}});
}
TG_FINDS(RoomExploration, a_waiter_that_leaves_hands_its_permit_on, permits_withdrawn_promise_is_lost, 1000)

// Permits are taken anyway while two waiters have promises: each gets one in the end (D1).
TG_EXPLORATION(RoomExploration, permits_that_are_taken_anyway_come_back_to_all_waiters) {
  Permits permits(2);
  permits.take_anyway(2);
  const auto use = [&] {
    wait_for_permit(permits);
    permits.give_back();
  };
  const auto give_back = [&] { permits.give_back(2); };
  const auto take_anyway = [&] {
    permits.take_anyway(2);
    permits.give_back(2);
  };
  together({{"one", use}, {"another", use}, {"gives back", give_back}, {"takes anyway", take_anyway}});
  require(permits.try_take() && permits.try_take() && !permits.try_take(), "two permits are free");
}

// The group is full most of the time.
TG_EXPLORATION(RoomExploration, two_flows_add_to_a_full_group) {
  detail::Atomic<int> runs{0};
  ThreadGroup group("full", {.max_concurrent_threads = 1, .max_pending = 1});
  const auto add_two = [&] {
    for (int i = 0; i < 2; ++i)
      group.post([&] {
        require(group.statistics().pending <= 1, "no more than the limit are pending");
        runs.fetch_add(1);
      });
  };
  together({{"adds", add_two}, {"adds as well", add_two}});
  group.join();
  require(runs.load() == 4, "each task ran once");
}
TG_FINDS(RoomExploration, two_flows_add_to_a_full_group, room_begun_task_keeps_its_room, 500)

// A stop meets an adder that waits for room.
TG_EXPLORATION(RoomExploration, a_stop_meets_adders_that_wait) {
  ThreadGroup group("full", {.max_concurrent_threads = 1, .max_pending = 1});
  together({{"adds two",
             [&] {
               group.post([] {});
               group.post([] {});
             }},
            {"adds one", [&] { group.post([] {}); }},
            {"stops", [&] { group.set_event(); }}});
  group.join();
  const GroupStatistics counts = group.statistics();
  require(counts.succeeded + counts.skipped == 3 && counts.idle(), "each is counted once");
  require(counts.waiting_adders == 0, "none waits");
}

// With one slot, a task fills its own group and continues.
TG_EXPLORATION(RoomExploration, a_task_adds_to_its_own_full_group) {
  detail::Atomic<int> runs{0};
  ThreadGroup group("own", {.max_concurrent_threads = 1, .max_pending = 1});
  group.post([&] {
    for (int i = 0; i < 3; ++i) group.post([&] { runs.fetch_add(1); });
  });
  group.join();
  require(runs.load() == 3, "each task ran once");
}
TG_FINDS(RoomExploration, a_task_adds_to_its_own_full_group, room_adder_keeps_its_slot, 500)

}  // namespace
}  // namespace room_exploration
}  // namespace tg::test
