// SPDX-License-Identifier: Apache-2.0
// Parking and unparking: permits, deadlines, and flows that outlive their threads.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "runtime/flow.hpp"
#include "runtime/gate.hpp"
#include "runtime/steady_clock.hpp"

#include "support/eventually.hpp"

namespace tg::inline v0::runtime {

/// What no caller of a flow needs to know.
struct FlowProbe {
  /// Whether `spin_or_park_until` would spin: never where there is one processor.
  static bool would_spin(const Flow& flow) noexcept { return flow.last_wait_was_short_; }
  static bool is_parked(const Flow& flow) noexcept { return flow.state_.load() == Flow::kParked; }
};

namespace flow_test {
namespace {

using namespace std::chrono_literals;

// Uses up a permit that another test may have left.
Flow& fresh() {
  Flow& me = Flow::current();
  me.park_until(now());
  return me;
}

TEST(Flow, a_thread_is_always_the_same_flow) {
  Flow* const first = &Flow::current();
  EXPECT_EQ(&Flow::current(), first);
  Flow* other = nullptr;
  std::thread([&] { other = &Flow::current(); }).join();
  EXPECT_NE(other, first);
}

TEST(Flow, knows_the_main_thread) {
  EXPECT_TRUE(Flow::current().is_main());
  bool other_is_main = true;
  std::thread([&] { other_is_main = Flow::current().is_main(); }).join();
  EXPECT_FALSE(other_is_main);
}

TEST(Flow, an_unpark_before_the_park_is_not_lost) {
  Flow& me = fresh();
  me.unpark();
  me.park_until(TimePoint::never());  // would hang
}

TEST(Flow, several_unparks_leave_one_permit) {
  Flow& me = fresh();
  me.unpark();
  me.unpark();
  me.unpark();
  me.park_until(TimePoint::never());
  const TimePoint deadline = after(5ms);
  while (now() < deadline) me.park_until(deadline);  // no permit is left: it ends by the deadline
  EXPECT_GE(now(), deadline);
}

TEST(Flow, a_deadline_that_has_passed_does_not_block) {
  Flow& me = fresh();
  me.park_until(TimePoint());
  me.park_until(TimePoint::from_nanos(-1));
  me.park_until(TimePoint::from_nanos(Duration::min().nanos()));
  me.park_until(now());
}

TEST(Flow, parks_until_the_deadline) {
  Flow& me = fresh();
  const TimePoint deadline = after(10ms);
  // It may return early, now and then: its callers wait in a loop.
  while (now() < deadline) me.park_until(deadline);
  EXPECT_GE(now(), deadline);
}

TEST(Flow, an_unpark_wakes_a_parked_flow) {
  std::atomic<Flow*> flow{nullptr};
  std::atomic<bool> done{false};
  int seen = 0;
  int written = 0;
  std::thread sleeper([&] {
    Flow& me = Flow::current();
    flow = &me;
    while (!done.load(std::memory_order_acquire)) me.park_until(TimePoint::never());
    seen = written;
  });
  test::eventually([&] { return flow != nullptr; });
  written = 42;
  done.store(true, std::memory_order_release);
  flow.load()->unpark();
  sleeper.join();
  EXPECT_EQ(seen, 42);
}

TEST(Flow, two_flows_hand_a_turn_back_and_forth) {
  constexpr int kTurns = 2'000;
  std::atomic<int> turn{0};
  std::atomic<Flow*> flows[2] = {nullptr, nullptr};
  std::latch ready(2);
  const auto play = [&](int who) {
    Flow& me = Flow::current();
    flows[who] = &me;
    ready.arrive_and_wait();
    for (int i = who; i < kTurns; i += 2) {
      while (turn != i) me.park_until(TimePoint::never());
      turn = i + 1;
      flows[1 - who].load()->unpark();
    }
  };
  std::thread even(play, 0);
  std::thread odd(play, 1);
  even.join();
  odd.join();
  EXPECT_EQ(turn, kTurns);
}

TEST(Flow, a_late_unpark_of_an_ended_thread_is_harmless) {
  Flow* flow = nullptr;
  std::thread([&] { flow = &Flow::current(); }).join();
  flow->unpark();
  // The next thread gets that flow and with it the permit: an early return, once.
  std::thread([&] {
    Flow& me = Flow::current();
    EXPECT_EQ(&me, flow);
    me.park_until(TimePoint::never());
    EXPECT_EQ(me.task, nullptr);
    EXPECT_EQ(me.root, nullptr);
  }).join();
}

TEST(Flow, says_goodbye_once_as_its_thread_ends) {
  static std::atomic<int> goodbyes{0};
  goodbyes = 0;
  std::thread([] { Flow::current().on_thread_exit = [](Flow&) { ++goodbyes; }; }).join();
  EXPECT_EQ(goodbyes, 1);
  std::thread([] { Flow::current(); }).join();  // the reused flow has forgotten it
  EXPECT_EQ(goodbyes, 1);
}

struct CallsTheLibraryAtTheEnd {
  bool armed = false;
  ~CallsTheLibraryAtTheEnd() {
    if (armed) Flow::current().park_until(now());
  }
};
thread_local CallsTheLibraryAtTheEnd calls_at_the_end;

TEST(Flow, may_be_asked_for_by_destructors_of_other_thread_locals) {
  std::thread([] {
    calls_at_the_end.armed = true;  // made before the flow, so destroyed after it
    Flow::current();
  }).join();
}

TEST(Flow, spins_after_a_short_wait_only) {
  std::thread([] {
    Flow& me = Flow::current();
    EXPECT_FALSE(FlowProbe::would_spin(me));
    const auto wait_shortly = [&me] {
      me.unpark();
      const TimePoint begin = now();
      me.spin_or_park_until(TimePoint::never());
      return now() - begin < Duration::from_nanos(30'000);  // unless another thread takes the processor
    };
    cpu_set_t usable;
    ASSERT_EQ(sched_getaffinity(0, sizeof usable, &usable), 0);
    const bool several = CPU_COUNT(&usable) > 1;
    test::eventually([&] { return wait_shortly() && FlowProbe::would_spin(me) == several; });

    me.spin_or_park_until(after(1ms));  // spins needlessly, and its time is up
    EXPECT_FALSE(FlowProbe::would_spin(me));
    me.spin_or_park_until(after(1us));  // however short: nothing came
    EXPECT_FALSE(FlowProbe::would_spin(me));
  }).join();
}

std::vector<int> usable_processors() {
  cpu_set_t usable;
  EXPECT_EQ(sched_getaffinity(0, sizeof usable, &usable), 0);
  std::vector<int> all;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &usable)) all.push_back(cpu);
  }
  return all;
}

void stay_on(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  EXPECT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
}

// A thread on the processor `here` waits once, and one on the processor `there` ends the wait. The first one
// then calls `ask`.
void wait_for_a_waker(int here, int there, const std::function<void(Flow&)>& ask) {
  std::thread([&] {
    Flow& me = Flow::current();
    std::latch ready(1);
    std::thread waker([&] {
      stay_on(there);
      ready.count_down();
      while (!FlowProbe::is_parked(me)) std::this_thread::yield();
      me.unpark();
    });
    stay_on(here);
    ready.wait();
    me.spin_or_park_until(TimePoint::never());
    ask(me);
    waker.join();
  }).join();
}

TEST(Flow, does_not_spin_if_its_waker_was_on_its_processor) {
  const int here = usable_processors().front();
  for (int i = 0; i < 20; ++i) {
    wait_for_a_waker(here, here, [](Flow& me) {
      EXPECT_TRUE(me.waker_was_here());
      EXPECT_FALSE(FlowProbe::would_spin(me));  // however short it was
      me.unpark();
      me.park_until(TimePoint::never());
      EXPECT_FALSE(me.waker_was_here());  // it did not sleep
    });
  }
}

TEST(Flow, knows_that_its_waker_was_on_another_processor) {
  const std::vector<int> processors = usable_processors();
  if (processors.size() < 2) GTEST_SKIP() << "there is one processor";
  wait_for_a_waker(processors[0], processors[1], [](Flow& me) { EXPECT_FALSE(me.waker_was_here()); });
}

TEST(Flow, of_a_thread_that_has_ended_does_not_make_the_next_one_spin) {
  for (int i = 0; i < 10; ++i) {
    std::thread([] {
      Flow& me = Flow::current();  // the same one as before: they are reused
      EXPECT_FALSE(FlowProbe::would_spin(me));
      me.unpark();
      me.spin_or_park_until(TimePoint::never());
    }).join();
  }
}

TEST(Flow, knows_whether_it_has_slept_since_it_last_asked) {
  std::thread([] {
    Flow& me = Flow::current();
    EXPECT_FALSE(me.has_slept());
    me.unpark();
    me.park_until(TimePoint::never());  // the permit is there
    EXPECT_FALSE(me.has_slept());
    me.park_until(after(1ms));
    EXPECT_TRUE(me.has_slept());
    EXPECT_FALSE(me.has_slept());
    Gate gate;
    gate.approach();
    gate.wait_until(after(1ms));
    EXPECT_TRUE(me.has_slept());
  }).join();
}

TEST(Flow, of_a_thread_that_has_ended_does_not_make_the_next_one_believe_that_it_slept) {
  for (int i = 0; i < 10; ++i) {
    std::thread([] {
      Flow& me = Flow::current();  // the same one as before: they are reused
      EXPECT_FALSE(me.has_slept());
      me.park_until(after(1us));
    }).join();
  }
}

std::string name_of_this_thread() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

TEST(Flow, shows_fifteen_characters_of_its_name_to_the_system) {
  std::thread([] {
    Flow& me = Flow::current();
    me.set_os_name("exactly fifteen");
    EXPECT_EQ(name_of_this_thread(), "exactly fifteen");
    me.set_os_name("sixteen characters and more");
    EXPECT_EQ(name_of_this_thread(), "sixteen charact");
    me.set_os_name("short");
    EXPECT_EQ(name_of_this_thread(), "short");
    me.set_os_name("sho");
    EXPECT_EQ(name_of_this_thread(), "sho");
    EXPECT_EQ(me.os_label().rfind("sho (thread ", 0), 0u) << me.os_label();
  }).join();
}

}  // namespace
}  // namespace flow_test
}  // namespace tg::inline v0::runtime
