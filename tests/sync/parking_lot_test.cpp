// SPDX-License-Identifier: Apache-2.0
// The parking lot: order, what `release` does with each entry, and many waiters.
#include "sync/parking_lot.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <thread>
#include <vector>

#include "runtime/steady_clock.hpp"

namespace tg {
namespace parking_lot_test {
namespace {

using detail::ParkingEntry;
using detail::ParkingKey;
using detail::ParkingLot;
using detail::ParkingQueue;
using detail::Waiter;
using runtime::Flow;
using Choice = ParkingLot::Choice;
using Where = ParkingLot::Where;

// Waiters that do not wait: the tests look at the lists.
struct Parked {
  Parked(ParkingKey key, int name, Where where = Where::back)
      : waiter(Flow::current()), entry(waiter, key, name) {
    ParkingLot::instance().link(
        entry, [] { return true; }, where);
  }
  struct Named : ParkingEntry {
    Named(Waiter& waiter, ParkingKey key, int number) : ParkingEntry(waiter, key), name(number) {}
    int name;
  };
  Waiter waiter;
  Named entry;
};

int name_of(const ParkingEntry& entry) { return static_cast<const Parked::Named&>(entry).name; }

std::vector<int> names(ParkingKey key) {
  std::vector<int> all;
  ParkingLot::instance().look(key, [&](const ParkingEntry& entry) { all.push_back(name_of(entry)); });
  return all;
}

struct ParkingLotTest : testing::Test {
  ParkingLot& lot = ParkingLot::instance();
  alignas(8) char primitive[8] = {};
  ParkingKey key{primitive, ParkingQueue::mutex};
};

TEST_F(ParkingLotTest, the_queues_of_a_primitive_are_distinct) {
  const ParkingKey other(primitive, ParkingQueue::semaphore);
  Parked waiter(other, 1);
  EXPECT_EQ(lot.release_all(key), 0u);
  EXPECT_EQ(lot.release_all(other), 1u);
}

TEST_F(ParkingLotTest, an_entry_that_is_not_validated_is_not_linked) {
  Waiter waiter(Flow::current());
  ParkingEntry entry(waiter, key);
  EXPECT_FALSE(lot.link(entry, [] { return false; }));
  EXPECT_EQ(lot.release_all(key), 0u);
}

TEST_F(ParkingLotTest, waiters_are_served_in_order) {
  std::deque<Parked> waiters;
  for (int i = 0; i < 4; ++i) waiters.emplace_back(key, i);
  waiters.emplace_back(key, 9, Where::front);
  EXPECT_EQ(names(key), (std::vector{9, 0, 1, 2, 3}));
  std::vector<int> served;
  std::vector<bool> more_were_left;
  while (lot.release_one(key, [&](const ParkingEntry* entry, bool more) {
    if (entry != nullptr) served.push_back(name_of(*entry));
    more_were_left.push_back(more);
  })) {
  }
  EXPECT_EQ(served, (std::vector{9, 0, 1, 2, 3}));
  EXPECT_EQ(more_were_left, (std::vector{true, true, true, true, false, false}));
}

TEST_F(ParkingLotTest, an_entry_is_unlinked_from_each_place) {
  for (int leaves = 0; leaves < 3; ++leaves) {
    std::deque<Parked> waiters;
    for (int i = 0; i < 3; ++i) waiters.emplace_back(key, i);
    lot.unlink(waiters[static_cast<std::size_t>(leaves)].entry);
    lot.unlink(waiters[static_cast<std::size_t>(leaves)].entry);  // a second time does nothing
    waiters.emplace_back(key, 3);
    std::vector<int> expected{0, 1, 2, 3};
    std::erase(expected, leaves);
    EXPECT_EQ(names(key), expected);
    EXPECT_EQ(lot.release_all(key), 3u);
    EXPECT_EQ(names(key), std::vector<int>{});
  }
}

TEST_F(ParkingLotTest, many_keys_share_the_table) {
  constexpr std::size_t kKeys = 5000;
  std::vector<std::uint64_t> primitives(kKeys);
  std::deque<Parked> waiters;
  const auto key_of = [&](std::size_t i) { return ParkingKey(&primitives[i], ParkingQueue::barrier); };
  for (int twice = 0; twice < 2; ++twice)
    for (std::size_t i = 0; i < kKeys; ++i) waiters.emplace_back(key_of(i), static_cast<int>(i));
  for (std::size_t i = 0; i < kKeys; ++i) {
    const int name = static_cast<int>(i);
    EXPECT_EQ(names(key_of(i)), (std::vector{name, name}));
    EXPECT_EQ(lot.release_all(key_of(i)), 2u);
  }
}

TEST_F(ParkingLotTest, a_release_skips_and_ends_where_it_is_said) {
  std::deque<Parked> waiters;
  for (int i = 0; i < 5; ++i) waiters.emplace_back(key, i);
  std::vector<int> served;
  const std::size_t count = lot.release(
      key,
      [](ParkingEntry& entry) {
        const int name = name_of(entry);
        return name == 4 ? Choice::end : name % 2 == 0 ? Choice::serve : Choice::skip;
      },
      [&](ParkingEntry& entry) { served.push_back(name_of(entry)); }, [](bool more) { EXPECT_TRUE(more); });
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(served, (std::vector{0, 2}));
  EXPECT_EQ(names(key), (std::vector{1, 3, 4}));
  lot.release_all(key);
}

TEST_F(ParkingLotTest, a_waiter_that_has_withdrawn_is_not_served) {
  Parked first(key, 1);
  Parked second(key, 2);
  EXPECT_TRUE(first.waiter.withdraw());
  const ParkingEntry* served = nullptr;
  EXPECT_TRUE(lot.release_one(key, [&](const ParkingEntry* entry, bool) { served = entry; }));
  EXPECT_EQ(served, &second.entry);
  EXPECT_FALSE(second.waiter.withdraw());
  lot.unlink(first.entry);
  EXPECT_EQ(names(key), std::vector<int>{});
}

TEST_F(ParkingLotTest, a_time_out_ends_a_wait) {
  Parked waiter(key, 1);
  EXPECT_EQ(waiter.waiter.wait(nullptr, runtime::after(std::chrono::milliseconds(1))),
            WaitOutcome::timed_out);
  lot.unlink(waiter.entry);
}

TEST_F(ParkingLotTest, a_waiter_is_woken) {
  std::atomic<int> served{-1};
  std::thread thread([&] {
    Waiter waiter(Flow::current());
    ParkingEntry entry(waiter, key, 7);
    lot.link(entry, [] { return true; });
    EXPECT_EQ(waiter.wait(nullptr, TimePoint::never()), WaitOutcome::ready);
    served = static_cast<int>(waiter.served_case());
  });
  while (!lot.release_one(key, [](const ParkingEntry*, bool) {})) std::this_thread::yield();
  thread.join();
  EXPECT_EQ(served, 7);
}

}  // namespace
}  // namespace parking_lot_test
}  // namespace tg
