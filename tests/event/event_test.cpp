// SPDX-License-Identifier: Apache-2.0
// The one-way signal and the counting of its reason.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "base/spin.hpp"
#include "event/event.hpp"

namespace tg::inline v0::detail {
namespace event_test {
namespace {

// An exception inside the reason tells when the reason is destroyed.
struct Tracked {
  std::shared_ptr<int> token;
};
Reason tracked_reason(const std::shared_ptr<int>& token, std::string message = {}) {
  Reason reason;
  reason.message = std::move(message);
  reason.exception = std::make_exception_ptr(Tracked{token});
  return reason;
}

TEST(Event, is_unset_at_first) {
  const Event event;
  EXPECT_FALSE(event.is_set());
  EXPECT_FALSE(event.reason());
}

TEST(Event, keeps_the_reason_it_was_marked_with) {
  Event event;
  Reason reason;
  reason.message = "why";
  EXPECT_TRUE(event.mark(new SharedReason(std::move(reason))));
  EXPECT_TRUE(event.is_set());
  ASSERT_TRUE(event.reason());
  EXPECT_EQ(event.reason()->message, "why");
}

TEST(Event, the_first_reason_stays) {
  Event event;
  Reason first;
  first.message = "first";
  const auto second = ReasonPointer::adopt(new SharedReason(Reason{}));
  EXPECT_TRUE(event.mark(new SharedReason(std::move(first))));
  EXPECT_FALSE(event.mark(second.get()));
  EXPECT_EQ(event.reason()->message, "first");
}

TEST(Event, one_of_many_setters_wins) {
  for (int round = 0; round < 200; ++round) {
    Event event;
    constexpr int kSetters = 3;
    std::latch start(kSetters);
    std::atomic<int> winners{0};
    std::vector<std::thread> setters;
    for (int i = 0; i < kSetters; ++i) {
      setters.emplace_back([&] {
        auto mine = ReasonPointer::adopt(new SharedReason(Reason{}));
        start.arrive_and_wait();
        if (event.mark(mine.get())) {
          mine.detach();
          ++winners;
        }
        EXPECT_TRUE(event.is_set());
      });
    }
    for (auto& setter : setters) setter.join();
    EXPECT_EQ(winners, 1);
  }
}

TEST(Event, what_was_written_before_the_mark_is_seen_by_a_thread_that_sees_it_set) {
  Event event;
  int written = 0;  // not atomic: the thread sanitizer watches
  std::thread setter([&] {
    written = 5;
    event.mark(new SharedReason(Reason{}));
  });
  while (!event.is_set()) std::this_thread::yield();
  EXPECT_EQ(written, 5);
  setter.join();
}

TEST(Event, marked_with_many_others_is_found_watched_or_seen_set) {
  constexpr int kRounds = 5'000;
  constexpr int kEvents = 8;
  std::vector<std::array<Event, kEvents>> events(kRounds);
  std::vector<std::array<bool, kEvents>> found(kRounds);
  std::vector<std::array<bool, kEvents>> seen(kRounds);
  // A barrier would let one of the two go long before the other.
  std::atomic<std::size_t> arrived{0};
  const auto meet = [&arrived](std::size_t round) {
    arrived.fetch_add(1);
    for (int looks = 0; arrived.load() < 2 * (round + 1); ++looks) {
      looks < 1'000 ? detail::relax() : std::this_thread::yield();  // there may be one processor only
    }
  };
  std::thread watcher([&] {
    for (std::size_t round = 0; round < kRounds; ++round) {
      meet(round);
      for (std::size_t i = kEvents; i-- > 0;) {
        events[round][i].watch();
        seen[round][i] = events[round][i].is_set();
      }
    }
  });
  const auto reason = ReasonPointer::adopt(new SharedReason(Reason{}));
  reason.get()->add_references(std::size_t{kRounds} * kEvents);
  for (std::size_t round = 0; round < kRounds; ++round) {
    meet(round);
    for (Event& event : events[round]) EXPECT_TRUE(event.mark_one_of_many(reason.get()));
    Event::order_marks();
    for (std::size_t i = 0; i < kEvents; ++i) found[round][i] = events[round][i].is_watched();
  }
  watcher.join();
  int missed = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kEvents; ++i) missed += found[round][i] || seen[round][i] ? 0 : 1;
    EXPECT_FALSE(events[round][0].mark_one_of_many(reason.get())) << "the first one stays";
  }
  EXPECT_EQ(missed, 0);
}

TEST(Event, stays_watched_after_the_first_watch) {
  Event event;
  EXPECT_FALSE(event.is_watched());
  event.watch();
  event.watch();
  EXPECT_TRUE(event.is_watched());
}

TEST(Event, releases_its_reason_in_the_destructor) {
  const auto token = std::make_shared<int>(0);
  ReasonPointer kept;
  {
    Event event;
    event.mark(new SharedReason(tracked_reason(token)));
    kept = event.reason();
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 2);  // a copy of the pointer keeps it
  kept = {};
  EXPECT_EQ(token.use_count(), 1);
}

TEST(SharedReason, goes_with_the_last_of_many_references) {
  const auto token = std::make_shared<int>(0);
  const auto* reason = new SharedReason(tracked_reason(token));
  reason->add_references(10);
  reason->release(4);
  reason->release();
  EXPECT_EQ(token.use_count(), 2);
  reason->release(6);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(ReasonPointer, copies_share_and_moves_hand_over) {
  const auto token = std::make_shared<int>(0);
  {
    auto first = ReasonPointer::adopt(new SharedReason(tracked_reason(token, "m")));
    ReasonPointer copy = first;
    ReasonPointer moved = std::move(first);
    EXPECT_FALSE(first);  // NOLINT: what a moved-from one is, is the point
    EXPECT_EQ(copy.get(), moved.get());
    copy = moved;
    auto& same = copy;
    copy = same;
    EXPECT_EQ((*copy).message, "m");
    EXPECT_EQ(copy->message, "m");
    const SharedReason* raw = copy.detach();
    EXPECT_FALSE(copy);
    EXPECT_EQ(token.use_count(), 2);
    raw->release();
  }
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(ReasonPointer::share(nullptr));
}

}  // namespace
}  // namespace event_test
}  // namespace tg::inline v0::detail
