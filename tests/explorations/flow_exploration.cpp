// SPDX-License-Identifier: Apache-2.0
// Parking and unparking, and the gate.
#include "base/spin.hpp"
#include "runtime/flow.hpp"
#include "runtime/gate.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/plain.hpp"

#include "explorations/explore.hpp"

namespace tg::inline v0::runtime {

struct FlowProbe {
  /// True if a permit ended it.
  static bool park(Flow& flow) noexcept { return flow.park(TimePoint::never(), nullptr); }
};

}  // namespace tg::inline v0::runtime

namespace tg::test {
namespace flow_exploration {
namespace {

using detail::Atomic;
using runtime::Flow;
using runtime::FlowProbe;
using runtime::Gate;
using sim::Plain;

// The waiter can be parked, about to park, or not there yet.
TG_EXPLORATION(FlowExploration, unpark_meets_park) {
  Atomic<Flow*> waiter{nullptr};
  Atomic<bool> done{false};
  together({{"waiter",
             [&] {
               Flow& me = Flow::current();
               waiter.store(&me);
               while (!done.load()) me.park_until(TimePoint::never());
             }},
            {"waker", [&] {
               done.store(true);
               if (Flow* const flow = waiter.load()) flow->unpark();
             }}});
}
TG_FINDS(FlowExploration, unpark_meets_park, flow_park_overwrites_permit, 1000)
TG_SEARCH_FINDS(FlowExploration, unpark_meets_park, flow_park_overwrites_permit, 20)
TG_FINDS(FlowExploration, unpark_meets_park, flow_unpark_wakes_no_one, 100)
TG_SEARCH_FINDS(FlowExploration, unpark_meets_park, flow_unpark_wakes_no_one, 10)
TG_IN_WEAK_MEMORY(FlowExploration, unpark_meets_park)

TG_WEAK_EXPLORATION(FlowExploration, a_permit_passes_data) {
  Plain<int> data{0};
  Atomic<Flow*> waiter{nullptr};
  together({{"waiter",
             [&] {
               waiter.store(&Flow::current());
               while (!FlowProbe::park(Flow::current())) {
               }
               require(data.read() == 1, "the data has come");
             }},
            {"waker", [&] {
               data.write(1);
               Flow* flow = nullptr;
               while ((flow = waiter.load()) == nullptr) detail::spin_briefly([] { return false; });
               flow->unpark();
             }}});
}
TG_FINDS(FlowExploration, a_permit_passes_data, flow_unpark_publishes_nothing, 10)
TG_FINDS(FlowExploration, a_permit_passes_data, flow_park_sees_nothing, 10)

// Each waits for its turn with a permit that the other one gives.
TG_EXPLORATION(FlowExploration, two_take_turns) {
  Atomic<Flow*> flows[2] = {nullptr, nullptr};
  Atomic<int> turn{0};
  const auto play = [&](int self) {
    Flow& me = Flow::current();
    flows[self].store(&me);
    for (int round = 0; round < 2; ++round) {
      while (turn.load() != self) me.park_until(TimePoint::never());
      turn.store(1 - self);
      if (Flow* const other = flows[1 - self].load()) other->unpark();
    }
  };
  together({{"first", [&] { play(0); }}, {"second", [&] { play(1); }}});
}

// Either the deadline or the permit ends the wait, and the permit is never lost.
TG_EXPLORATION(FlowExploration, unpark_meets_deadline) {
  Atomic<Flow*> waiter{nullptr};
  Atomic<bool> done{false};
  together({{"waiter",
             [&] {
               Flow& me = Flow::current();
               waiter.store(&me);
               const TimePoint deadline = runtime::after(Duration::from_nanos(1000));
               while (!done.load() && runtime::now() < deadline) me.spin_or_park_until(deadline);
               while (!done.load()) me.spin_or_park_until(TimePoint::never());
             }},
            {"waker", [&] {
               done.store(true);
               if (Flow* const flow = waiter.load()) flow->unpark();
             }}});
}

TG_EXPLORATION(GateExploration, two_wait_and_one_opens) {
  Gate gate;
  Atomic<bool> open{false};
  const auto wait = [&] {
    while (!open.load()) {
      gate.approach();
      if (open.load()) return;
      gate.wait_until(TimePoint::never());
    }
  };
  together({{"first", wait}, {"second", wait}, {"opener", [&] {
                                                  open.store(true);
                                                  gate.open();
                                                }}});
}
TG_FINDS(GateExploration, two_wait_and_one_opens, gate_opens_for_one, 200)
TG_SEARCH_FINDS(GateExploration, two_wait_and_one_opens, gate_opens_for_one, 10)
TG_IN_WEAK_MEMORY(GateExploration, two_wait_and_one_opens)

}  // namespace
}  // namespace flow_exploration
}  // namespace tg::test
