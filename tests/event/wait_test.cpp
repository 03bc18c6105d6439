// SPDX-License-Identifier: Apache-2.0
// The one wait: which of its three ends comes first, and that no wake-up is lost.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include "event/wait.hpp"
#include "runtime/steady_clock.hpp"

#include "runtime/faults.hpp"
#include "runtime/flow.hpp"
#include "runtime/wait_breaks.hpp"
#include "support/eventually.hpp"
#include "support/forbidden_call.hpp"
#include "support/in_child.hpp"

namespace tg::inline v0::detail {
namespace wait_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

void set(Event& event) {
  event.mark(new SharedReason(Reason{}));
  event.release_waiters();
}
const auto kNo = [] { return false; };

// Each test with both ways to wait for a source and an event: asleep on two words, and linked to both as on a system
// that cannot wait for two.
class Wait : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { runtime::faults::has_no_wait_for_two_words = GetParam() == 1; }
  void TearDown() override { runtime::faults::has_no_wait_for_two_words = false; }
};
INSTANTIATE_TEST_SUITE_P(Words, Wait, testing::Values(1, 2));

TEST_P(Wait, does_not_block_when_it_is_ready) {
  WaitQueue source;
  Event event;
  EXPECT_EQ(wait(
                source, [] { return true; }, {&event, nullptr}, TimePoint::never()),
            WaitOutcome::ready);
}

TEST_P(Wait, does_not_block_when_the_event_is_set_already) {
  WaitQueue source;
  Event event;
  set(event);
  EXPECT_EQ(wait(source, kNo, {&event, nullptr}, TimePoint::never()), WaitOutcome::event_set);
  EXPECT_EQ(wait(source, kNo, {nullptr, &event}, TimePoint::never()), WaitOutcome::event_set);
  EXPECT_EQ(wait({&event, nullptr}, TimePoint::never()), WaitOutcome::event_set);
}

TEST_P(Wait, does_not_block_when_the_deadline_has_passed) {
  WaitQueue source;
  for (const TimePoint passed : {TimePoint(), runtime::now(), TimePoint::from_nanos(-1)}) {
    EXPECT_EQ(wait(source, kNo, {}, passed), WaitOutcome::timed_out);
    EXPECT_EQ(wait({}, passed), WaitOutcome::timed_out);
  }
  EXPECT_TRUE(source.empty());
}

TEST_P(Wait, ready_comes_before_the_event_and_the_event_before_the_deadline) {
  WaitQueue source;
  Event event;
  set(event);
  EXPECT_EQ(wait(
                source, [] { return true; }, {&event, nullptr}, TimePoint()),
            WaitOutcome::ready);
  EXPECT_EQ(wait(source, kNo, {&event, nullptr}, TimePoint()), WaitOutcome::event_set);
}

TEST_P(Wait, lasts_until_the_deadline_at_least) {
  WaitQueue source;
  Event event;
  const TimePoint deadline = runtime::after(10ms);
  EXPECT_EQ(wait(source, kNo, {&event, nullptr}, deadline), WaitOutcome::timed_out);
  EXPECT_GE(runtime::now(), deadline);
  EXPECT_TRUE(source.empty());
  EXPECT_TRUE(event.waiters().empty());
}

TEST_P(Wait, wakes_when_the_source_is_ready) {
  WaitQueue source;
  Event event;
  std::atomic<bool> ready{false};
  std::thread waiter([&] {
    EXPECT_EQ(wait(
                  source, [&] { return ready.load(); }, {&event, nullptr}, TimePoint::never()),
              WaitOutcome::ready);
  });
  eventually([&] { return !source.empty(); });
  ready = true;
  source.release_all();
  waiter.join();
  EXPECT_TRUE(event.waiters().empty());
}

TEST_P(Wait, goes_on_after_a_release_that_did_not_make_it_ready) {
  WaitQueue source;
  std::atomic<int> looks{0};
  std::atomic<bool> ready{false};
  std::thread waiter([&] {
    const auto look = [&] {
      ++looks;
      return ready.load();
    };
    EXPECT_EQ(wait(source, look, {}, TimePoint::never()), WaitOutcome::ready);
  });
  for (int round = 0; round < 5; ++round) {
    eventually([&] { return !source.empty(); });
    const int before = looks;
    source.release_all();
    eventually([&] { return looks > before; });  // it was in line again and looked
  }
  ready = true;
  source.release_all();
  waiter.join();
}

TEST_P(Wait, wakes_when_either_event_is_set) {
  for (const std::size_t which : {0u, 1u}) {
    WaitQueue source;
    Event events[2];
    std::thread waiter([&] {
      EXPECT_EQ(wait(source, kNo, {&events[0], &events[1]}, TimePoint::never()), WaitOutcome::event_set);
    });
    eventually([&] { return !source.empty(); });
    set(events[which]);
    waiter.join();
    EXPECT_TRUE(source.empty());
    EXPECT_TRUE(events[1 - which].waiters().empty());
  }
}

TEST_P(Wait, that_spins_first_ends_by_source_event_and_deadline_as_any_other) {
  runtime::Flow& me = runtime::Flow::current();
  const auto let_the_next_wait_spin = [&me] {
    me.unpark();
    me.spin_or_park_until(TimePoint::never());
  };
  for (int round = 0; round < 100; ++round) {
    WaitQueue source;
    std::atomic<bool> ready{false};
    Event event;
    std::latch together(2);
    std::thread other([&] {
      together.arrive_and_wait();
      if (round % 2 == 0) {
        ready = true;
        source.release_all();
      } else {
        set(event);
      }
    });
    let_the_next_wait_spin();
    together.arrive_and_wait();
    EXPECT_EQ(wait(
                  source, [&] { return ready.load(); }, {&event, nullptr}, TimePoint::never()),
              round % 2 == 0 ? WaitOutcome::ready : WaitOutcome::event_set);
    other.join();
    let_the_next_wait_spin();
    const TimePoint deadline = runtime::after(100us);
    EXPECT_EQ(wait(source, kNo, {}, deadline), WaitOutcome::timed_out);
    EXPECT_GE(runtime::now(), deadline);
  }
}

TEST_P(Wait, may_watch_the_same_event_twice) {
  Event event;
  std::thread waiter([&] { EXPECT_EQ(wait({&event, &event}, TimePoint::never()), WaitOutcome::event_set); });
  eventually([&] { return !event.waiters().empty(); });
  set(event);
  waiter.join();
}

TEST_P(Wait, a_permit_left_over_from_another_unpark_ends_no_wait) {
  WaitQueue source;
  runtime::Flow::current().unpark();
  const TimePoint deadline = runtime::after(5ms);
  EXPECT_EQ(wait(source, kNo, {}, deadline), WaitOutcome::timed_out);
  EXPECT_GE(runtime::now(), deadline);
}

TEST_P(Wait, leaves_the_queues_when_the_look_throws) {
  WaitQueue source;
  Event event;
  int looks = 0;
  const auto throws_later = [&]() -> bool {
    if (++looks == 2) throw std::runtime_error("look");
    return false;
  };
  EXPECT_THROW(static_cast<void>(wait(source, throws_later, {&event, nullptr}, TimePoint::never())),
               std::runtime_error);
  EXPECT_TRUE(source.empty());
  EXPECT_TRUE(event.waiters().empty());
}

TEST_P(Wait, no_wake_up_is_lost_between_the_look_and_the_park) {
  // Two flows answer each other; a single lost wake-up hangs the test.
  WaitQueue source;
  std::atomic<int> ball{0};
  constexpr int kTurns = 5'000;
  const auto play = [&](int who) {
    for (int i = who; i < kTurns; i += 2) {
      static_cast<void>(wait(
          source, [&] { return ball == i; }, {}, TimePoint::never()));
      ball = i + 1;
      source.release_all();
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT_EQ(ball, kTurns);
}

TEST_P(Wait, no_set_event_is_lost_between_the_look_and_the_park) {
  for (int round = 0; round < 300; ++round) {
    Event event;
    std::latch start(2);
    std::thread setter([&] {
      start.arrive_and_wait();
      set(event);
    });
    start.arrive_and_wait();
    EXPECT_EQ(wait({&event, nullptr}, TimePoint::never()), WaitOutcome::event_set);
    setter.join();
  }
}

TEST_P(Wait, an_event_wakes_many_waiters) {
  Event event;
  std::vector<std::thread> waiters;
  std::atomic<int> awake{0};
  for (int i = 0; i < 8; ++i) {
    waiters.emplace_back([&] {
      EXPECT_EQ(wait({&event, nullptr}, TimePoint::never()), WaitOutcome::event_set);
      ++awake;
    });
  }
  eventually([&] { return event.is_watched(); });
  set(event);
  for (auto& waiter : waiters) waiter.join();
  EXPECT_EQ(awake, 8);
}

// A process that enters a sandbox: the call for two words is refused from then on.
TEST(WaitInSandbox, is_still_ended_by_the_event_and_by_the_source) {
  const int status = test::status_of(test::start_child([] {
    WaitQueue source;
    Event event;
    EXPECT_EQ(wait(source, kNo, {&event, nullptr}, runtime::after(1ms)), WaitOutcome::timed_out);
    if (!test::forbid(SYS_futex_waitv)) throw std::runtime_error("a filter of system calls");
    std::atomic<bool> ready{false};
    std::atomic<int> looks{0};
    std::thread waits([&] {
      const auto look = [&] { return ++looks, ready.load(); };
      EXPECT_EQ(wait(source, look, {&event, nullptr}, TimePoint::never()), WaitOutcome::ready);
      EXPECT_EQ(wait(source, kNo, {&event, nullptr}, TimePoint::never()), WaitOutcome::event_set);
    });
    eventually([&] { return !source.empty(); });
    test::leave_time(100ms);
    EXPECT_LT(looks, 50) << "it sleeps between its looks";
    ready = true;
    source.release_all();
    set(event);
    waits.join();
    return testing::Test::HasFailure() ? 1 : 0;
  }));
  EXPECT_EQ(status, 0);
}

TEST(WaitBreaks, a_function_is_called_during_a_wait_and_can_end_it_by_an_event) {
  WaitQueue source;
  Event event;
  int calls = 0;
  const auto look = [&] {
    if (++calls == 3) set(event);
  };
  const runtime::WaitBreaks breaks(1ms, look);
  EXPECT_EQ(wait(source, kNo, {&event, nullptr}, TimePoint::never()), WaitOutcome::event_set);
  EXPECT_EQ(calls, 3);
}

TEST(WaitBreaks, they_interrupt_a_wait_for_nothing_but_an_event) {
  Event event;
  const auto look = [&] { set(event); };
  const runtime::WaitBreaks breaks(1ms, look);
  EXPECT_EQ(wait({&event, nullptr}, TimePoint::never()), WaitOutcome::event_set);
}

TEST(WaitBreaks, the_deadline_stays_and_waits_in_the_function_are_not_interrupted) {
  WaitQueue source;
  int inside = 0;
  int calls = 0;
  const auto look = [&] {
    EXPECT_EQ(++inside, 1);
    ++calls;
    EXPECT_EQ(wait({}, runtime::after(3ms)), WaitOutcome::timed_out);
    --inside;
  };
  const TimePoint deadline = runtime::after(20ms);
  {
    const runtime::WaitBreaks breaks(1ms, look);
    EXPECT_EQ(wait(source, kNo, {}, deadline), WaitOutcome::timed_out);
  }
  EXPECT_GE(runtime::now(), deadline);
  EXPECT_GE(calls, 1);
  const int before = calls;
  EXPECT_EQ(wait({}, runtime::after(3ms)), WaitOutcome::timed_out);
  EXPECT_EQ(calls, before);
}

}  // namespace
}  // namespace wait_test
}  // namespace tg::inline v0::detail
