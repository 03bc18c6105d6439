// SPDX-License-Identifier: Apache-2.0
// The slots of a group: how many workers may come, and who goes first.
#include <gtest/gtest.h>

#include "pool/slots.hpp"

namespace tg::inline v0::detail {
namespace slots_test {
namespace {

TEST(Slots, are_used_by_workers_from_the_reservation_on) {
  Slots slots(2);
  EXPECT_EQ(slots.free(), 2u);
  slots.reserve();
  EXPECT_EQ(slots.on_their_way(), 1u);
  EXPECT_EQ(slots.free(), 1u);
  slots.arrive();
  slots.reserve();
  EXPECT_FALSE(slots.has_free());
  slots.give_reservation_back();
  slots.leave();
  EXPECT_EQ(slots.workers(), 0u);
  EXPECT_EQ(slots.free(), 2u);
}

TEST(Slots, a_lent_one_is_free_until_it_is_taken_back) {
  Slots slots(1);
  slots.reserve();
  slots.arrive();
  slots.lend();
  EXPECT_TRUE(slots.has_free());
  EXPECT_EQ(slots.workers(), 1u);
  slots.take_back();
  EXPECT_FALSE(slots.has_free());
}

TEST(Slots, a_lender_that_wants_its_place_back_comes_before_new_workers) {
  Slots slots(1);
  slots.reserve();
  slots.arrive();
  slots.lend();
  slots.reserve();  // the one that uses the slot meanwhile
  slots.arrive();
  EXPECT_FALSE(slots.is_wanted_back());
  slots.begin_waiting();
  EXPECT_TRUE(slots.is_wanted_back());
  EXPECT_FALSE(slots.try_end_waiting());
  slots.leave();
  EXPECT_FALSE(slots.has_free());  // it is kept for the lender
  EXPECT_TRUE(slots.try_end_waiting());
  EXPECT_FALSE(slots.is_wanted_back());
  EXPECT_FALSE(slots.has_free());
}

TEST(Slots, a_stopped_lender_goes_on_beyond_the_bound) {
  Slots slots(1);
  slots.reserve();
  slots.arrive();
  slots.lend();
  slots.reserve();
  slots.arrive();
  slots.begin_waiting();
  slots.end_waiting();
  EXPECT_EQ(slots.free(), 0u);
  EXPECT_FALSE(slots.some_are_wanted_back());
  slots.leave();
  EXPECT_EQ(slots.free(), 0u);
  slots.leave();
  EXPECT_EQ(slots.free(), 1u);
}

}  // namespace
}  // namespace slots_test
}  // namespace tg::inline v0::detail
