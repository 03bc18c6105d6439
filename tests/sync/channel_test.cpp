// SPDX-License-Identifier: Apache-2.0
// Channels: what arrives, in which order, and how each wait ends.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/core.hpp>

#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg {
namespace channel_test {
namespace {

using namespace std::chrono_literals;

TEST(Channel, items_arrive_in_the_order_in_which_they_were_sent) {
  Channel<int> channel(3);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(channel.send(i), WaitOutcome::ready);
    EXPECT_EQ(channel.size(), 3u);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(channel.receive(), i);
    EXPECT_EQ(channel.size(), 0u);
  }
}

TEST(Channel, full_one_takes_nothing_and_the_value_stays_the_callers) {
  Channel<std::unique_ptr<int>> channel(1);
  EXPECT_TRUE(channel.try_send(std::make_unique<int>(1)));
  auto value = std::make_unique<int>(2);
  EXPECT_FALSE(channel.try_send(std::move(value)));
  EXPECT_EQ(channel.send(std::move(value), 1ms), WaitOutcome::timed_out);
  EXPECT_EQ(channel.send(std::move(value), 0s), WaitOutcome::timed_out);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(**channel.receive(), 1);
  EXPECT_EQ(channel.send(std::move(value)), WaitOutcome::ready);
  EXPECT_EQ(value, nullptr);
}

TEST(Channel, empty_one_gives_nothing) {
  Channel<int> channel(2);
  int into = 7;
  EXPECT_EQ(channel.try_receive(), std::nullopt);
  EXPECT_EQ(channel.receive(into, 0s), WaitOutcome::timed_out);
  EXPECT_EQ(channel.receive(into, 1ms), WaitOutcome::timed_out);
  EXPECT_EQ(into, 7);
}

TEST(Channel, sender_waits_for_room_and_receiver_for_an_item) {
  Channel<int> there(1);
  Channel<int> back(1);
  ThreadGroup group("Echo");
  group.post([&] {
    for (int& x : there)
      if (back.send(x + 1) != WaitOutcome::ready) return;
    back.close();
  });
  group.post([&] {
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(there.send(i), WaitOutcome::ready);
    there.close();
  });
  int expected = 0;
  for (const int x : back) EXPECT_EQ(x, ++expected);
  EXPECT_EQ(expected, 1000);
  group.join();
}

TEST(Channel, closed_one_is_drained_first) {
  Channel<std::string> channel(3);
  EXPECT_EQ(channel.send("a"), WaitOutcome::ready);
  EXPECT_EQ(channel.send("b"), WaitOutcome::ready);
  channel.close();
  channel.close();
  EXPECT_TRUE(channel.is_closed());
  std::string value = "c";
  EXPECT_EQ(channel.send(std::move(value)), WaitOutcome::closed);
  EXPECT_EQ(value, "c");
  EXPECT_FALSE(channel.try_send(std::move(value)));
  EXPECT_EQ(value, "c");
  EXPECT_EQ(channel.receive(), "a");
  EXPECT_EQ(channel.receive(value), WaitOutcome::ready);
  EXPECT_EQ(value, "b");
  EXPECT_EQ(channel.receive(value), WaitOutcome::closed);
  EXPECT_EQ(channel.receive(), std::nullopt);
  EXPECT_EQ(channel.try_receive(), std::nullopt);
}

// Four tasks that receive from an empty channel, and four that send to a full one. The pause makes it likely that
// all of them wait; a test is also right if some have only started.
struct Waiters {
  explicit Waiters(std::size_t capacity) : empty(capacity), full(capacity) {
    for (std::size_t i = 0; i < capacity; ++i) EXPECT_TRUE(full.try_send(1));
    for (int i = 0; i < 4; ++i) {
      waits.push_back(group.add_task([&] {
        int into = 0;
        running.count_down();
        return empty.receive(into);
      }));
      waits.push_back(group.add_task([&] {
        running.count_down();
        return full.send(2);
      }));
    }
    running.wait();
    test::leave_time(2ms);
  }
  void expect(WaitOutcome outcome) {
    for (auto& wait : waits) EXPECT_EQ(wait.get(), outcome);
  }

  Channel<int> empty;
  Channel<int> full;
  std::latch running{8};
  std::vector<TaskHandle<WaitOutcome>> waits;
  ThreadGroup group{"Waiters"};
};

TEST(Channel, close_wakes_all) {
  for (const std::size_t capacity : {0u, 1u, 2u}) {
    Waiters waiters(capacity);
    waiters.empty.close();
    waiters.full.close();
    waiters.expect(WaitOutcome::closed);
  }
}

TEST(Channel, stop_wakes_all) {
  for (const std::size_t capacity : {0u, 1u, 2u}) {
    Waiters waiters(capacity);
    waiters.group.set_event();
    waiters.expect(WaitOutcome::event_set);
    EXPECT_EQ(waiters.full.size(), capacity);
  }
}

TEST(Channel, stopped_caller_neither_sends_nor_receives_even_if_it_could) {
  Channel<int> channel(2);
  EXPECT_TRUE(channel.try_send(1));
  ThreadGroup group("Stopped");
  group.post([&] {
    thread_utils::set_event();
    int into = 0;
    EXPECT_EQ(channel.receive(into), WaitOutcome::event_set);
    EXPECT_EQ(channel.send(2), WaitOutcome::event_set);
    EXPECT_EQ(channel.receive(), std::nullopt);
    for ([[maybe_unused]] const int x : channel) ADD_FAILURE();
    EXPECT_EQ(channel.try_receive(), 1);  // does not wait, so it does not look at the event
    EXPECT_TRUE(channel.try_send(3));
  });
  group.join();
  EXPECT_EQ(channel.try_receive(), 3);
}

TEST(Channel, range_ends_when_the_caller_is_stopped) {
  Channel<int> channel(2);
  ThreadGroup group("Receiver");
  std::latch received(1);
  auto count = group.add_task([&] {
    int items = 0;
    for ([[maybe_unused]] const int x : channel)
      if (++items == 3) received.count_down();
    return items;
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(channel.send(i), WaitOutcome::ready);
  received.wait();
  group.set_event();
  EXPECT_EQ(count.get(), 3);
}

TEST(Channel, of_capacity_zero_hands_over_when_both_are_there) {
  Channel<std::unique_ptr<int>> channel(0);
  auto value = std::make_unique<int>(5);
  EXPECT_FALSE(channel.try_send(std::move(value)));
  EXPECT_EQ(channel.send(std::move(value), 1ms), WaitOutcome::timed_out);
  EXPECT_NE(value, nullptr);
  EXPECT_EQ(channel.try_receive(), std::nullopt);
  ThreadGroup group("Meeting");
  auto received = group.add_task([&] { return **channel.receive(); });
  EXPECT_EQ(channel.send(std::move(value)), WaitOutcome::ready);
  EXPECT_EQ(received.get(), 5);
  // The receiver comes second.
  auto sent = group.add_task([&] { return channel.send(std::make_unique<int>(6)); });
  std::optional<std::unique_ptr<int>> item;
  test::eventually([&] { return (item = channel.try_receive()).has_value(); });
  EXPECT_EQ(**item, 6);
  EXPECT_EQ(sent.get(), WaitOutcome::ready);
  // The sender comes second, without waiting.
  auto again = group.add_task([&] { return **channel.receive(); });
  test::eventually([&] { return channel.try_send(std::make_unique<int>(7)); });
  EXPECT_EQ(again.get(), 7);
}

TEST(Channel, destroys_the_items_that_are_left) {
  const auto counted = std::make_shared<int>(0);
  {
    Channel<std::shared_ptr<int>> channel(3);
    EXPECT_TRUE(channel.try_send(counted));
    EXPECT_TRUE(channel.try_send(counted));
    EXPECT_TRUE(channel.try_receive().has_value());
    EXPECT_TRUE(channel.try_send(counted));
    EXPECT_EQ(counted.use_count(), 3);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

// Throws when it has been moved as often as it may.
struct Fragile {
  Fragile(int n, int m) : number(n), moves(m) {}
  Fragile(Fragile&& other) : number(other.number), moves(other.moves - 1) {
    if (moves < 0) throw std::runtime_error("moved");
    other.number = -1;
  }
  Fragile& operator=(Fragile&& other) {
    if (other.moves <= 0) throw std::runtime_error("assigned");
    number = std::exchange(other.number, -1);
    moves = other.moves - 1;
    return *this;
  }
  int number;
  int moves;
};

TEST(Channel, sender_gets_the_exception_of_a_move_and_nothing_was_sent) {
  Channel<Fragile> channel(1);
  Fragile value(1, 0);
  EXPECT_THROW(static_cast<void>(channel.send(std::move(value))), std::runtime_error);
  EXPECT_EQ(value.number, 1);
  EXPECT_FALSE(channel.try_receive().has_value());
  EXPECT_THROW(channel.try_send(Fragile(1, 0)), std::runtime_error);
  EXPECT_FALSE(channel.try_receive().has_value());
  EXPECT_TRUE(channel.try_send(Fragile(2, 9)));
  EXPECT_EQ(channel.receive()->number, 2);
}

TEST(Channel, receiver_waits_on_after_a_sender_whose_move_threw) {
  for (const std::size_t capacity : {0u, 1u}) {
    Channel<Fragile> channel(capacity);
    ThreadGroup group("Receiver");
    auto received = group.add_task([&] { return channel.receive()->number; });
    EXPECT_THROW(static_cast<void>(channel.send(Fragile(1, 0))), std::runtime_error);
    EXPECT_EQ(channel.send(Fragile(2, 9)), WaitOutcome::ready);
    EXPECT_EQ(received.get(), 2);
  }
}

TEST(Channel, receiver_gets_the_exception_of_a_move_and_the_channel_goes_on) {
  Channel<Fragile> channel(2);
  EXPECT_TRUE(channel.try_send(Fragile(1, 1)));
  EXPECT_TRUE(channel.try_send(Fragile(2, 9)));
  Fragile into(0, 9);
  EXPECT_THROW(static_cast<void>(channel.receive(into)), std::runtime_error);
  EXPECT_EQ(channel.receive(into), WaitOutcome::ready);
  EXPECT_EQ(into.number, 2);
}

TEST(Channel, move_of_an_item_may_use_the_channel) {
  struct Nosy {
    Channel<Nosy>* channel = nullptr;
    Nosy() = default;
    explicit Nosy(Channel<Nosy>& c) : channel(&c) {}
    Nosy(Nosy&& other) noexcept : channel(other.channel) {
      if (channel != nullptr) static_cast<void>(channel->size()), static_cast<void>(channel->is_closed());
    }
    Nosy& operator=(Nosy&&) noexcept = default;
  };
  Channel<Nosy> channel(1);
  EXPECT_EQ(channel.send(Nosy(channel)), WaitOutcome::ready);
  EXPECT_TRUE(channel.receive().has_value());
}

TEST(Channel, items_may_be_over_aligned) {
  struct alignas(128) Wide {
    int number = 0;
  };
  Channel<Wide> channel(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(channel.try_send(Wide{i}));
  for (int i = 0; i < 3; ++i) {
    const std::optional<Wide> item = channel.try_receive();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*item) % 128, 0u);
    EXPECT_EQ(item->number, i);
  }
}

TEST(Channel, many_senders_and_receivers_each_item_once_and_in_order_per_sender) {
  constexpr int kEach = 5000;
  for (const std::size_t capacity : {0u, 1u, 3u, 64u}) {
    Channel<std::pair<std::size_t, int>> channel(capacity);
    ThreadGroup receivers("Receivers");
    std::vector<TaskHandle<std::vector<std::pair<std::size_t, int>>>> received;
    for (int i = 0; i < 4; ++i) {
      received.push_back(receivers.add_task([&] {
        std::vector<std::pair<std::size_t, int>> items;
        for (const auto& item : channel) items.push_back(item);
        return items;
      }));
    }
    ThreadGroup senders("Senders");
    for (std::size_t sender = 0; sender < 4; ++sender) {
      senders.post([&channel, sender] {
        for (int i = 0; i < kEach; ++i) EXPECT_EQ(channel.send({sender, i}), WaitOutcome::ready);
      });
    }
    senders.join();
    channel.close();
    std::vector<int> count(4);
    for (auto& handle : received) {
      std::vector<int> last(4, -1);
      for (const auto& [sender, number] : handle.get()) {
        EXPECT_GT(number, last[sender]);
        last[sender] = number;
        ++count[sender];
      }
    }
    EXPECT_EQ(count, std::vector<int>(4, kEach)) << capacity;
  }
}

TEST(Channel, capacity_of_more_than_32_bits_is_refused) {
  EXPECT_THROW(Channel<int> channel(std::size_t{1} << 32), std::length_error);
  EXPECT_THROW(Channel<int> channel(std::numeric_limits<std::size_t>::max()), std::length_error);
}

TEST(Channel, inherited_one_is_refused_in_a_forked_child) {
  Channel<int> channel(1);
  Channel<int> meeting(0);
  EXPECT_EQ(test::in_child([&] {
              REQUIRE_IN_CHILD(test::throws_forked([&] { channel.try_send(1); }));
              REQUIRE_IN_CHILD(test::throws_forked([&] { meeting.try_receive(); }));
              REQUIRE_IN_CHILD(test::throws_forked([&] { channel.close(); }));
            }),
            0);
}

}  // namespace
}  // namespace channel_test
}  // namespace tg
