// SPDX-License-Identifier: Apache-2.0
// The parking lot: waiters that are served, stopped and timed out at the same time.
#include "sync/parking_lot.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <new>

#include "runtime/steady_clock.hpp"
#include "sim/plain.hpp"

#include "explorations/explore.hpp"
#include "support/set_event.hpp"

namespace tg::test {
namespace parking_lot_exploration {
namespace {

using detail::Atomic;
using detail::Event;
using detail::ParkingEntry;
using detail::ParkingKey;
using detail::ParkingLot;
using detail::ParkingQueue;
using detail::Waiter;
using runtime::Flow;

// A number of permits, which are handed over to waiters.
class Permits {
 public:
  bool take(Event* event, TimePoint deadline) {
    Waiter waiter(Flow::current());
    ParkingEntry entry(waiter, key());
    const auto must_wait = [&] {
      const int free = free_.load();
      if (free != 0) free_.store(free - 1);
      return free == 0;
    };
    if (!lot().link(entry, must_wait)) return true;
    if (waiter.wait(event, deadline) == WaitOutcome::ready) return true;
    lot().unlink(entry);
    return false;
  }
  void give() {
    lot().release_one(key(), [&](const ParkingEntry* served, bool) {
      if (served == nullptr) free_.store(free_.load() + 1);
    });
  }
  int free() const { return free_.load(); }

 private:
  static ParkingLot& lot() { return ParkingLot::instance(); }
  ParkingKey key() const { return {this, ParkingQueue::semaphore}; }

  alignas(8) Atomic<int> free_{0};
};

TG_EXPLORATION(LotExploration, a_waiter_is_served) {
  Permits permits;
  together({{"waiter", [&] { require(permits.take(nullptr, TimePoint::never()), "it got a permit"); }},
            {"giver", [&] { permits.give(); }}});
  require(permits.free() == 0, "the permit was taken once");
}
TG_FINDS(LotExploration, a_waiter_is_served, lot_validates_too_early, 200)
TG_SEARCH_FINDS(LotExploration, a_waiter_is_served, lot_validates_too_early, 30)

TG_WEAK_EXPLORATION(LotExploration, what_the_giver_wrote_is_seen) {
  Permits permits;
  sim::Plain<int> item{0};
  together({{"waiter",
             [&] {
               require(permits.take(nullptr, TimePoint::never()), "it got a permit");
               require(item.read() == 1, "the item came with the permit");
             }},
            {"giver", [&] {
               item.write(1);
               permits.give();
             }}});
}
TG_FINDS(LotExploration, what_the_giver_wrote_is_seen, lot_releaser_publishes_nothing, 500)
TG_FINDS(LotExploration, what_the_giver_wrote_is_seen, lot_waiter_sees_nothing, 500)

// A permit that is handed over at the moment of a stop is kept by the waiter, or passes to the next one.
TG_EXPLORATION(LotExploration, nothing_is_lost_by_a_stop) {
  Permits permits;
  Event event;
  int taken = 0;
  together({{"first", [&] { taken += permits.take(&event, TimePoint::never()) ? 1 : 0; }},
            {"second", [&] { taken += permits.take(&event, TimePoint::never()) ? 1 : 0; }},
            {"giver", [&] { permits.give(); }},
            {"setter", [&] { set(event); }}});
  require(taken + permits.free() == 1, "there is one permit");
}
TG_FINDS(LotExploration, nothing_is_lost_by_a_stop, lot_stop_forgets_what_it_got, 2000)

TG_EXPLORATION(LotExploration, nothing_is_lost_by_a_time_out) {
  Permits permits;
  int taken = 0;
  together({{"first",
             [&] {
               const TimePoint deadline = runtime::after(Duration::from_nanos(1000));
               taken += permits.take(nullptr, deadline) ? 1 : 0;
             }},
            {"second", [&] { taken += permits.take(nullptr, TimePoint::never()) ? 1 : 0; }},
            {"giver", [&] {
               permits.give();
               permits.give();
             }}});
  require(taken + permits.free() == 2, "there are two permits");
}

// One waiter at two keys is served through one of them. What the other's giver gave stays where it is.
TG_EXPLORATION(LotExploration, one_of_two_entries_is_served) {
  ParkingLot& lot = ParkingLot::instance();
  alignas(8) std::array<std::byte, 16> places;
  const std::array keys{ParkingKey(&places[0], ParkingQueue::semaphore),
                        ParkingKey(&places[8], ParkingQueue::semaphore)};
  Atomic<unsigned> kept{0};
  unsigned received = 0;
  const auto give = [&](unsigned which) {
    lot.release_one(keys[which], [&](const ParkingEntry* served, bool) {
      if (served == nullptr) kept.store(kept.load() | 1u << which);
    });
  };
  const auto is_not_there = [&](unsigned which) {
    const unsigned all = kept.load();
    if ((all & 1u << which) == 0) return true;
    kept.store(all & ~(1u << which));
    received |= 1u << which;
    return false;
  };
  together({{"waiter",
             [&] {
               Waiter waiter(Flow::current());
               ParkingEntry first(waiter, keys[0], 0);
               ParkingEntry second(waiter, keys[1], 1);
               if (!lot.link(first, [&] { return is_not_there(0); })) return;
               if (lot.link(second, [&] { return is_not_there(1); })) {
                 static_cast<void>(waiter.wait(nullptr, TimePoint::never()));
                 received |= 1u << waiter.served_case();
               } else if (!waiter.withdraw()) {
                 received |= 1u << waiter.served_case();
               }
               lot.unlink(first);
               lot.unlink(second);
             }},
            {"first giver", [&] { give(0); }},
            {"second giver", [&] { give(1); }}});
  require((kept.load() ^ received) == 3, "each of two was received or kept");
}
TG_FINDS(LotExploration, one_of_two_entries_is_served, lot_serves_who_is_claimed, 500)

// The memory of a waiter and its entry is its own again once it has left.
TG_EXPLORATION(LotExploration, a_waiter_is_not_touched_after_it_has_left) {
  struct Parked {
    explicit Parked(ParkingKey key) : waiter(Flow::current()), entry(waiter, key) {}
    Waiter waiter;
    ParkingEntry entry;
  };
  ParkingLot& lot = ParkingLot::instance();
  alignas(Parked) std::array<std::byte, sizeof(Parked)> memory;
  const ParkingKey key(memory.data(), ParkingQueue::latch);
  Event event;
  together({{"waiter",
             [&] {
               auto* const parked = ::new (memory.data()) Parked(key);
               lot.link(parked->entry, [] { return true; });
               if (parked->waiter.wait(&event, TimePoint::never()) != WaitOutcome::ready)
                 lot.unlink(parked->entry);
               parked->~Parked();
               reuse(memory.data(), memory.size());
               std::memset(memory.data(), 0x5A, memory.size());
             }},
            {"releaser", [&] { lot.release_all(key); }},
            {"setter", [&] { set(event); }}});
  for (const std::byte byte : memory) require(byte == std::byte{0x5A}, "the memory is its owner's");
  lot.release_all(key);
}
TG_FINDS(LotExploration, a_waiter_is_not_touched_after_it_has_left, lot_waiter_leaves_before_released, 2000)
TG_FINDS(LotExploration, a_waiter_is_not_touched_after_it_has_left, lot_entry_stays_linked, 500)
TG_IN_WEAK_MEMORY(LotExploration, a_waiter_is_not_touched_after_it_has_left)

}  // namespace
}  // namespace parking_lot_exploration
}  // namespace tg::test
