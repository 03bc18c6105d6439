// SPDX-License-Identifier: Apache-2.0
// Channels in simulated time.
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace channel_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

TEST(SimulatedChannel, pipeline_passes_all_items_in_order) {
  for (const std::size_t capacity : {0u, 1u, 3u}) {
    const sim::Report report = sim::explore({.schedules = 300}, [=] {
      Channel<int> there(capacity);
      Channel<int> back(capacity);
      ThreadGroup group("Pipeline");
      group.post([&] {
        for (int i = 0; i < 5; ++i) static_cast<void>(there.send(i));
        there.close();
      });
      group.post([&] {
        for (const int x : there) static_cast<void>(back.send(x + 1));
        back.close();
      });
      int expected = 0;
      for (const int x : back) sim::check(x == ++expected, "in order");
      sim::check(expected == 5, "all of them");
    });
    EXPECT_FALSE(report.failure) << report.str();
  }
}

TEST(SimulatedChannel, time_outs_are_exact_and_take_nothing) {
  const sim::Report report = sim::explore({.schedules = 50}, [] {
    const TimePoint begin = now();
    Channel<std::string> channel(1);
    ThreadGroup group("Sender");
    group.post([&] {
      event_aware_sleep(20min);
      static_cast<void>(channel.send("late"));
    });
    std::string into = "nothing";
    sim::check(channel.receive(into, 10min) == WaitOutcome::timed_out, "too early");
    sim::check(now() - begin == Duration(10min), "after " + to_string(now() - begin));
    sim::check(into == "nothing", "it is as it was");
    sim::check(channel.receive(into, 10h) == WaitOutcome::ready && into == "late", "later");
    sim::check(now() - begin == Duration(20min), "after " + to_string(now() - begin));
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedChannel, stopped_tasks_lose_no_item) {
  for (const std::size_t capacity : {0u, 2u}) {
    const sim::Report report = sim::explore({.schedules = 500}, [=] {
      Channel<int> channel(capacity);
      int sent = 0;
      int received = 0;
      ThreadGroup senders("Senders");
      ThreadGroup receivers("Receivers");
      for (int i = 0; i < 2; ++i) {
        senders.post([&] {
          for (int n = 0; n < 4 && channel.send(1) == WaitOutcome::ready; ++n) ++sent;
        });
        receivers.post([&] {
          for (const int x : channel) received += x;
        });
      }
      event_aware_sleep(0s);
      receivers.set_event();
      static_cast<void>(receivers.join());
      senders.set_event();
      static_cast<void>(senders.join());
      while (const auto rest = channel.try_receive()) received += *rest;
      sim::check(sent == received, std::to_string(sent) + " and " + std::to_string(received));
    });
    EXPECT_FALSE(report.failure) << report.str();
  }
}

TEST(SimulatedChannel, picture_of_a_hang_names_the_channel) {
  const sim::Report report = sim::explore({.schedules = 1}, [] {
    Channel<int> channel(1);
    static_cast<void>(channel.receive());
  });
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.str().find("a channel"), std::string::npos) << report.str();
}

TEST(SimulatedChannel, select_takes_what_comes_first) {
  const sim::Report report = sim::explore({.schedules = 200}, [] {
    const TimePoint begin = now();
    Channel<int> quick(1);
    Channel<int> slow(0);
    ThreadGroup group("Senders");
    group.post([&] {
      event_aware_sleep(1min);
      static_cast<void>(quick.send(1));
    });
    auto sent = group.add_task([&] {
      event_aware_sleep(2min);
      return slow.send(2);
    });
    int got = 0;
    const auto receive = [&](int item) { got = item; };
    const auto chosen = [&] {
      return select(receive_from(slow, receive), receive_from(quick, receive), after(90s)).index;
    };
    sim::check(chosen() == 1 && got == 1, "after a minute");
    sim::check(chosen() == 0 && got == 2, "after another one");
    sim::check(chosen() == 2 && got == 2, "nothing more comes");
    sim::check(now() - begin == Duration(210s), "after " + to_string(now() - begin));
    sim::check(sent.get() == WaitOutcome::ready, "it was received");
  });
  EXPECT_FALSE(report.failure) << report.str();
}

TEST(SimulatedChannel, select_refuses_descriptors) {
  std::string said;
  const sim::Report report = sim::explore({.schedules = 1}, [&] {
    try {
      select(readable(0, [] {}), after(1s));
    } catch (const std::logic_error& error) {
      said = error.what();
    }
  });
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_NE(said.find("tg::select with a file descriptor"), std::string::npos) << said;
}

}  // namespace
}  // namespace channel_test
}  // namespace tg
