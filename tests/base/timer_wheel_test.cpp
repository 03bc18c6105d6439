// SPDX-License-Identifier: Apache-2.0
// The wheel against a plain ordered list of the same points in time.
#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "base/timer_wheel.hpp"

namespace tg::inline v0::detail {
namespace timer_wheel_test {
namespace {

constexpr std::int64_t kTick = 1024;

struct Timer : TimerEntry {
  std::int64_t at = 0;
};

TimePoint point(std::int64_t nanos) { return TimePoint::from_nanos(nanos); }

// All that are due at that time, in the order in which the wheel gives them.
std::vector<Timer*> due(TimerWheel& wheel, std::int64_t now) {
  std::vector<Timer*> found;
  do {
    while (TimerEntry* entry = wheel.pop_due(point(now))) found.push_back(static_cast<Timer*>(entry));
  } while (!wheel.empty() && wheel.next() <= point(now));
  return found;
}

TEST(TimerWheel, entry_is_due_within_a_tick_and_never_early) {
  for (const std::int64_t at : {std::int64_t{1}, std::int64_t{1023}, std::int64_t{1024}, std::int64_t{1025},
                                std::int64_t{1'000'000'007}, std::int64_t{86'400'000'000'000}}) {
    TimerWheel wheel;
    Timer timer;
    wheel.add(timer, point(at));
    EXPECT_TRUE(due(wheel, at - 1).empty()) << at;
    EXPECT_EQ(due(wheel, at + kTick), std::vector<Timer*>{&timer}) << at;
    EXPECT_TRUE(wheel.empty());
  }
}

TEST(TimerWheel, point_that_has_passed_is_due_at_once) {
  TimerWheel wheel;
  EXPECT_TRUE(due(wheel, 1'000'000).empty());
  Timer past;
  Timer before_all_time;
  wheel.add(past, point(5));
  wheel.add(before_all_time, point(-7));
  EXPECT_LE(wheel.next(), point(1'000'000));
  EXPECT_EQ(due(wheel, 1'000'000).size(), 2u);
}

TEST(TimerWheel, furthest_points_have_room) {
  TimerWheel wheel;
  Timer last;
  Timer first;
  wheel.add(last, point(std::numeric_limits<std::int64_t>::max() - 1));
  wheel.add(first, point(1'000));
  EXPECT_EQ(due(wheel, 1'000'000), std::vector<Timer*>{&first});
  EXPECT_TRUE(due(wheel, std::int64_t{1} << 60).empty());
  wheel.remove(last);
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheel, removed_entry_never_comes_and_can_be_added_again) {
  TimerWheel wheel;
  Timer a;
  Timer b;
  Timer c;
  for (Timer* timer : {&a, &b, &c}) wheel.add(*timer, point(5'000'000));
  EXPECT_TRUE(a.is_linked());
  wheel.remove(b);
  EXPECT_FALSE(b.is_linked());
  EXPECT_EQ(due(wheel, 6'000'000).size(), 2u);
  wheel.add(b, point(7'000'000));
  EXPECT_EQ(due(wheel, 8'000'000), std::vector<Timer*>{&b});
}

TEST(TimerWheel, random_use_agrees_with_an_ordered_list) {
  std::mt19937_64 random(20'26);
  TimerWheel wheel;
  std::deque<Timer> timers(2'000);
  std::set<Timer*> waiting;
  std::int64_t now = 123'456'789;
  for (int step = 0; step < 60'000; ++step) {
    Timer& timer = timers[random() % timers.size()];
    if (timer.is_linked()) {
      wheel.remove(timer);
      waiting.erase(&timer);
    } else {
      timer.at = now + static_cast<std::int64_t>(random() >> (random() % 50 + 12));  // near and very far
      wheel.add(timer, point(timer.at));
      waiting.insert(&timer);
    }
    if (step % 16 != 0) continue;
    // To the point that the wheel names, or a little way.
    if (random() % 2 == 0 || waiting.empty()) {
      now += static_cast<std::int64_t>(random() % 3'000'000);
    } else {
      const std::int64_t next = wheel.next().nanos();
      for (const Timer* one : waiting) ASSERT_GE(one->at + kTick, next);
      if (next < now + 10'000'000'000) now = std::max(now, next);
    }
    for (Timer* one : due(wheel, now)) {
      ASSERT_LE(one->at, now);
      ASSERT_EQ(waiting.erase(one), 1u);
    }
    for (const Timer* one : waiting) ASSERT_GT(one->at + kTick, now);
    ASSERT_EQ(wheel.empty(), waiting.empty());
  }
}

TEST(TimerWheel, no_single_call_moves_a_whole_crowd) {
  // As many at one far point as would take long under a lock, and one that is removed while they are moved.
  TimerWheel wheel;
  std::deque<Timer> crowd(100'000);
  for (Timer& timer : crowd) wheel.add(timer, point(5'000'000'000));
  std::size_t calls_without = 0;
  std::size_t came = 0;
  for (const std::int64_t now = 6'000'000'000; !wheel.empty() && wheel.next() <= point(now);) {
    if (wheel.pop_due(point(now)) != nullptr) {
      ++came;
    } else {
      ++calls_without;
      if (calls_without == 10) {
        for (Timer& timer : crowd) {
          if (timer.is_linked()) wheel.remove(timer);
          ++came;
          break;
        }
      }
    }
  }
  EXPECT_EQ(came, crowd.size());
  EXPECT_GE(calls_without, 100u);
}

}  // namespace
}  // namespace timer_wheel_test
}  // namespace tg::inline v0::detail
