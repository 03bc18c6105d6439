// SPDX-License-Identifier: Apache-2.0
// Channels with stops, time-outs and closings at random moments: what went in has come out, once.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <threadgroup/core.hpp>

#include "stress/support.hpp"

namespace tg::stress {
namespace channel_hammer_test {
namespace {

using namespace std::chrono_literals;

// An item that counts how many items exist.
struct Item {
  explicit Item(int n) : number(std::make_unique<int>(n)) { ++alive; }
  Item(Item&& other) noexcept : number(std::move(other.number)) { ++alive; }
  Item& operator=(Item&& other) noexcept = default;
  ~Item() { --alive; }
  std::unique_ptr<int> number;
  static inline std::atomic<int> alive{0};
};

// Some senders and receivers are in groups that are stopped at a random moment; others go on until the channel is
// closed, and receive the rest.
void hammer(std::size_t capacity, std::uint64_t seed, int items) {
  SCOPED_TRACE("capacity " + std::to_string(capacity));
  Random random(seed);
  {
    Channel<Item> channel(capacity);
    std::atomic<std::int64_t> sent{0};
    std::atomic<std::int64_t> received{0};
    std::atomic<int> operations{0};
    const auto send = [&](Random mine, bool to_the_end) {
      while (operations.fetch_add(1) < items) {
        Item item(1 + mine.below(1000));
        const int value = *item.number;
        WaitOutcome outcome = WaitOutcome::timed_out;
        if (mine.one_in(8)) {
          if (channel.try_send(std::move(item))) outcome = WaitOutcome::ready;
        } else if (to_the_end && !mine.one_in(8)) {
          outcome = channel.send(std::move(item));
        } else {
          outcome = channel.send(std::move(item), std::chrono::microseconds(mine.below(200)));
        }
        ASSERT_EQ(item.number == nullptr, outcome == WaitOutcome::ready) << to_string(outcome);
        if (outcome == WaitOutcome::ready) sent += value;
        if (outcome == WaitOutcome::event_set || outcome == WaitOutcome::closed) return;
      }
    };
    const auto receive = [&](Random mine, bool to_the_end) {
      for (;;) {
        Item item(0);
        item.number = nullptr;
        WaitOutcome outcome = WaitOutcome::timed_out;
        if (to_the_end && !mine.one_in(8)) {
          outcome = channel.receive(item);
        } else {
          outcome = channel.receive(item, std::chrono::microseconds(mine.below(200)));
        }
        ASSERT_EQ(item.number != nullptr, outcome == WaitOutcome::ready) << to_string(outcome);
        if (outcome == WaitOutcome::ready) received += *item.number;
        if (outcome == WaitOutcome::event_set || outcome == WaitOutcome::closed) return;
      }
    };
    ThreadGroup receivers("Receivers");
    ThreadGroup senders("Senders");
    for (int i = 0; i < 2; ++i) {
      receivers.post([&, r = Random(random.fork())] { receive(r, true); });
      senders.post([&, r = Random(random.fork())] { send(r, true); });
    }
    while (operations.load() < items) {
      ThreadGroup stopped("Stopped");
      for (int i = 0; i < 2; ++i) {
        stopped.post(
            [&, r = Random(random.fork()), to_the_end = random.one_in(2)] { receive(r, to_the_end); });
        stopped.post([&, r = Random(random.fork())] { send(r, false); });
      }
      thread_utils::event_aware_sleep(std::chrono::microseconds(random.below(3000)));
      stopped.set_event();
      stopped.join();
    }
    senders.join();
    channel.close();
    receivers.join();
    EXPECT_EQ(sent.load(), received.load());
    EXPECT_EQ(channel.size(), 0u);
  }
  EXPECT_EQ(Item::alive.load(), 0);
}

TEST(ChannelMillion, what_went_in_comes_out_once) {
  const std::uint64_t seed = choose_seed();
  for (const std::size_t capacity : {0u, 1u, 2u, 64u}) hammer(capacity, seed + capacity, many(250'000));
}

// One receiver in a hurry takes all it can; the patient ones still get their share.
TEST(ChannelHammer, no_waiter_starves) {
  Channel<int> channel(4);
  ThreadGroup group("Load");
  std::atomic<bool> done{false};
  for (int i = 0; i < 2; ++i) {
    group.post([&] {
      while (!done.load())
        if (channel.send(1) != WaitOutcome::ready) return;
    });
    group.post([&] {
      while (!done.load()) static_cast<void>(channel.try_receive());
    });
  }
  ThreadGroup patient("Patient");
  for (int i = 0; i < 3; ++i) {
    patient.post([&] {
      for (int n = 0; n < rounds(500); ++n) EXPECT_TRUE(channel.receive().has_value());
    });
  }
  patient.join();
  done.store(true);
  channel.close();
  group.join();
}

}  // namespace
}  // namespace channel_hammer_test
}  // namespace tg::stress
