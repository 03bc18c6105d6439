// SPDX-License-Identifier: Apache-2.0
// The places of a group: how many workers may come, and who goes first.
#include <gtest/gtest.h>

#include "pool/places.hpp"

namespace tg::detail {
namespace {

TEST(Places, are_used_by_workers_from_the_reservation_on) {
  Places places(2);
  EXPECT_EQ(places.free(), 2u);
  places.reserve();
  EXPECT_EQ(places.on_their_way(), 1u);
  EXPECT_EQ(places.free(), 1u);
  places.arrive();
  places.reserve();
  EXPECT_FALSE(places.has_free());
  places.give_reservation_back();
  places.leave();
  EXPECT_EQ(places.workers(), 0u);
  EXPECT_EQ(places.free(), 2u);
}

TEST(Places, a_lent_one_is_free_until_it_is_taken_back) {
  Places places(1);
  places.reserve();
  places.arrive();
  places.lend();
  EXPECT_TRUE(places.has_free());
  EXPECT_EQ(places.workers(), 1u);
  places.take_back();
  EXPECT_FALSE(places.has_free());
}

TEST(Places, a_lender_that_wants_its_place_back_comes_before_new_workers) {
  Places places(1);
  places.reserve();
  places.arrive();
  places.lend();
  places.reserve();  // the one that uses the place meanwhile
  places.arrive();
  EXPECT_FALSE(places.is_wanted_back());
  places.begin_waiting();
  EXPECT_TRUE(places.is_wanted_back());
  EXPECT_FALSE(places.try_end_waiting());
  places.leave();
  EXPECT_FALSE(places.has_free());  // it is kept for the lender
  EXPECT_TRUE(places.try_end_waiting());
  EXPECT_FALSE(places.is_wanted_back());
  EXPECT_FALSE(places.has_free());
}

TEST(Places, a_stopped_lender_goes_on_beyond_the_bound) {
  Places places(1);
  places.reserve();
  places.arrive();
  places.lend();
  places.reserve();
  places.arrive();
  places.begin_waiting();
  places.give_up_waiting();
  EXPECT_EQ(places.free(), 0u);
  EXPECT_FALSE(places.some_are_wanted_back());
  places.leave();
  EXPECT_EQ(places.free(), 0u);
  places.leave();
  EXPECT_EQ(places.free(), 1u);
}

}  // namespace
}  // namespace tg::detail
