// SPDX-License-Identifier: Apache-2.0
// Waiting for the first of several things: which case runs, that it is one, and how the wait ends otherwise.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <threadgroup/core.hpp>

#include "base/sanitizers.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg {
namespace select_test {
namespace {

using namespace std::chrono_literals;

TEST(Select, receives_from_the_channel_that_has_an_item) {
  Channel<int> numbers(1);
  Channel<std::string> words(1);
  EXPECT_TRUE(words.try_send("word"));
  std::string got;
  const Selected chosen = select(receive_from(numbers, [](int) { FAIL(); }),
                                 receive_from(words, [&](std::string&& word) { got = std::move(word); }));
  EXPECT_TRUE(chosen);
  EXPECT_EQ(chosen.index, 1u);
  EXPECT_EQ(got, "word");
  EXPECT_EQ(words.size(), 0u);
}

TEST(Select, value_that_is_not_sent_stays_the_callers) {
  Channel<std::unique_ptr<int>> full(1);
  Channel<int> other(1);
  EXPECT_TRUE(full.try_send(std::make_unique<int>(1)));
  auto value = std::make_unique<int>(2);
  EXPECT_EQ(select(send_to(full, std::move(value)), after(1ms)).outcome, WaitOutcome::timed_out);
  EXPECT_EQ(select(send_to(full, std::move(value), [] { FAIL(); }), send_to(other, 1)).index, 1u);
  ASSERT_NE(value, nullptr);
  EXPECT_TRUE(full.try_receive().has_value());
  EXPECT_TRUE(select(send_to(full, std::move(value)), after(1h)));
  EXPECT_EQ(value, nullptr);
  EXPECT_EQ(**full.try_receive(), 2);
}

TEST(Select, chooses_among_those_that_are_possible_at_random) {
  Channel<int> first(1);
  Channel<int> second(1);
  Channel<int> third(200);
  std::array<int, 3> chosen{};
  for (int i = 0; i < 200; ++i) {
    static_cast<void>(first.try_send(i));
    static_cast<void>(second.try_send(i));
    const Selected one =
        select(receive_from(first, [](int) {}), receive_from(second, [](int) {}), send_to(third, i));
    ++chosen[one.index];
  }
  for (const int count : chosen) EXPECT_GT(count, 20);
}

TEST(Select, waits_until_one_is_possible) {
  for (const std::size_t capacity : {0u, 1u}) {
    Channel<int> first(capacity);
    Channel<int> second(capacity);
    ThreadGroup group("Senders");
    std::latch go(1);
    auto sent = group.add_task([&] {
      go.wait();
      return second.send(2);
    });
    go.count_down();
    int got = 0;
    const Selected chosen =
        select(receive_from(first, [&](int) { FAIL(); }), receive_from(second, [&](int x) { got = x; }));
    EXPECT_EQ(chosen.index, 1u);
    EXPECT_EQ(got, 2);
    EXPECT_EQ(sent.get(), WaitOutcome::ready);
  }
}

TEST(Select, otherwise_makes_it_look_without_waiting) {
  Channel<int> channel(1);
  int looked = 0;
  EXPECT_EQ(select(receive_from(channel, [](int) { FAIL(); }), otherwise([&] { ++looked; })).index, 1u);
  EXPECT_EQ(looked, 1);
  EXPECT_TRUE(channel.try_send(1));
  EXPECT_EQ(select(otherwise([] { FAIL(); }), receive_from(channel, [](int) {})).index, 1u);
}

TEST(Select, closed_channel_ends_it_if_nothing_else_is_possible) {
  Channel<int> closed(1);
  Channel<int> open(1);
  closed.close();
  EXPECT_TRUE(open.try_send(1));
  EXPECT_TRUE(select(receive_from(closed, [](int) { FAIL(); }), receive_from(open, [](int) {})));
  const Selected chosen =
      select(receive_from(open, [](int) { FAIL(); }), receive_from(closed, [](int) { FAIL(); }));
  EXPECT_EQ(chosen.outcome, WaitOutcome::closed);
  EXPECT_EQ(chosen.index, 1u);
  EXPECT_FALSE(chosen);
  EXPECT_EQ(select(send_to(closed, 1, [] { FAIL(); })).outcome, WaitOutcome::closed);
}

TEST(Select, close_ends_the_wait) {
  Channel<int> channel(0);
  Channel<int> other(1);
  ThreadGroup group("Waiter");
  std::latch running(1);
  auto chosen = group.add_task([&] {
    running.count_down();
    return select(receive_from(other, [](int) {}), receive_from(channel, [](int) {})).outcome;
  });
  running.wait();
  channel.close();
  EXPECT_EQ(chosen.get(), WaitOutcome::closed);
}

TEST(Select, time_is_a_case) {
  Channel<int> channel(1);
  bool late = false;
  const TimePoint begin = now();
  const Selected chosen = select(receive_from(channel, [](int) { FAIL(); }), after(1h, [] { FAIL(); }),
                                 after(2ms, [&] { late = true; }));
  EXPECT_TRUE(chosen);
  EXPECT_EQ(chosen.index, 2u);
  EXPECT_TRUE(late);
  EXPECT_GE(now() - begin, Duration(2ms));
  EXPECT_EQ(select(after(0s)).outcome, WaitOutcome::timed_out);
}

TEST(Select, stopped_caller_does_no_case) {
  Channel<int> channel(1);
  EXPECT_TRUE(channel.try_send(1));
  ThreadGroup group("Stopped");
  auto chosen = group.add_task([&] {
    thread_utils::set_event();
    return select(receive_from(channel, [](int) { FAIL(); }), otherwise([] { FAIL(); })).outcome;
  });
  EXPECT_EQ(chosen.get(), WaitOutcome::event_set);
  EXPECT_EQ(channel.size(), 1u);
}

TEST(Select, stop_ends_the_wait) {
  Channel<int> channel(1);
  Channel<int> meeting(0);
  ThreadGroup group("Stopped");
  std::latch running(1);
  auto chosen = group.add_task([&] {
    running.count_down();
    return select(receive_from(channel, [](int) {}), send_to(meeting, 1), after(1h)).outcome;
  });
  running.wait();
  test::leave_time(2ms);
  group.set_event();
  EXPECT_EQ(chosen.get(), WaitOutcome::event_set);
  EXPECT_TRUE(channel.try_send(1));  // nothing is linked any more
  EXPECT_FALSE(meeting.try_receive().has_value());
}

TEST(Select, end_of_a_task_is_a_case) {
  ThreadGroup group("Tasks");
  std::latch go(1);
  auto slow = group.add_task([&] { go.wait(); });
  Channel<int> channel(1);
  EXPECT_EQ(select(handle_done(slow, [] { FAIL(); }), otherwise([] {})).index, 1u);
  auto waiter = group.add_task([&] {
    bool ended = false;
    const Selected chosen =
        select(receive_from(channel, [](int) { FAIL(); }), handle_done(slow, [&] { ended = true; }));
    return chosen.index == 1 && ended;
  });
  go.count_down();
  EXPECT_TRUE(waiter.get());
  EXPECT_TRUE(select(handle_done(slow, [] {})));
  EXPECT_THROW(select(handle_done(TaskHandle<int>(), [] {})), std::logic_error);
}

TEST(Select, refuses_to_wait_for_its_own_task) {
  ThreadGroup group("self");
  std::latch has_handle(1);
  TaskHandle<void> own;
  own = group.add_task([&] {
    has_handle.wait();
    select(handle_done(own, [] {}), after(1h));
  });
  has_handle.count_down();
  EXPECT_THROW(own.get(), std::system_error);
}

TEST(Select, event_of_another_group_is_a_case) {
  ThreadGroup other("Other");
  ThreadGroup group("Waiter");
  Channel<int> channel(1);
  std::latch running(1);
  auto chosen = group.add_task([&] {
    running.count_down();
    return select(receive_from(channel, [](int) { FAIL(); }), when_event_set(other, [] {})).index;
  });
  running.wait();
  other.set_event();
  EXPECT_EQ(chosen.get(), 1u);
  EXPECT_TRUE(select(when_event_set(other, [] {})));
}

TEST(Select, what_a_function_throws_leaves_it) {
  Channel<int> channel(1);
  EXPECT_TRUE(channel.try_send(1));
  EXPECT_THROW(select(receive_from(channel, [](int) { throw std::runtime_error("function"); })),
               std::runtime_error);
  EXPECT_EQ(channel.size(), 0u);
}

// Two that can each send to and receive from the other, through two meetings.
TEST(Select, two_selects_meet) {
  Channel<int> there(0);
  Channel<int> back(0);
  ThreadGroup group("Two");
  std::atomic<int> sent{0};
  std::atomic<int> received{0};
  for (int i = 0; i < 2; ++i) {
    group.post([&] {
      for (int n = 0; n < 2000; ++n) {
        const auto send = [&] { ++sent; };
        const auto receive = [&](int) { ++received; };
        if (!select(send_to(there, 1, send), receive_from(there, receive), send_to(back, 2, send),
                    receive_from(back, receive), after(50ms)))
          return;  // the other one has ended
      }
    });
  }
  group.join();
  EXPECT_EQ(sent.load(), received.load());
  EXPECT_GT(sent.load(), 0);
}

TEST(Select, task_that_has_ended_comes_before_a_closed_channel) {
  Channel<int> channel(1);
  channel.close();
  ThreadGroup group("one");
  const auto ended = group.add_task([] {});
  static_cast<void>(ended.wait());
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(select(receive_from(channel, [](int) {}), handle_done(ended, [] {})).index, 1u);
}

class Descriptors : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
  void TearDown() override {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void write_one() { ASSERT_EQ(::write(ends_[1], "x", 1), 1); }
  int ends_[2] = {-1, -1};
};

TEST_F(Descriptors, descriptor_is_a_case) {
  Channel<int> channel(1);
  EXPECT_EQ(select(readable(ends_[0], [] { FAIL(); }), otherwise([] {})).index, 1u);
  EXPECT_EQ(select(readable(ends_[0], [] { FAIL(); }), writable(ends_[0], [] {})).index, 1u);
  EXPECT_EQ(select(readable(ends_[0], [] { FAIL(); }), after(1ms)).outcome, WaitOutcome::timed_out);
  ThreadGroup group("Reader");
  std::latch running(1);
  auto chosen = group.add_task([&] {
    running.count_down();
    return select(receive_from(channel, [](int) {}), readable(ends_[0], [] {})).index;
  });
  running.wait();
  test::leave_time(2ms);
  write_one();
  EXPECT_EQ(chosen.get(), 1u);
}

TEST_F(Descriptors, wait_for_a_descriptor_ends_for_all_else) {
  Channel<int> channel(1);
  ThreadGroup group("Reader");
  const auto wait = [&] { return select(receive_from(channel, [](int) {}), readable(ends_[0], [] {})); };
  for (int round = 0; round < 20; ++round) {
    std::latch running(1);
    auto chosen = group.add_task([&] {
      running.count_down();
      return wait().index;
    });
    running.wait();
    if (round % 2 == 0) test::leave_time(1ms);
    EXPECT_EQ(channel.send(1), WaitOutcome::ready);
    EXPECT_EQ(chosen.get(), 0u);
  }
  std::latch running(1);
  auto chosen = group.add_task([&] {
    running.count_down();
    return wait().outcome;
  });
  running.wait();
  test::leave_time(1ms);
  group.set_event();
  EXPECT_EQ(chosen.get(), WaitOutcome::event_set);
}

TEST_F(Descriptors, one_that_is_not_open_is_refused_by_its_number) {
  const auto error_of = [](int descriptor) -> std::string {
    try {
      select(readable(descriptor, [] {}), after(1h));
    } catch (const std::exception& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_NE(error_of(-1).find("-1 is not a file descriptor"), std::string::npos);
  static_cast<void>(select(readable(ends_[0], [] {}), otherwise([] {})));  // makes this flow's own descriptor
  const int closed = ::dup(ends_[0]);
  ::close(closed);
  EXPECT_NE(error_of(closed).find("descriptor " + std::to_string(closed) + " is not open"),
            std::string::npos);
}

TEST_F(Descriptors, more_than_the_system_allows_are_refused) {
  if (TG_ADDRESS_SANITIZER != 0) GTEST_SKIP() << "the checks of the sanitizer need descriptors themselves";
  EXPECT_EQ(test::in_child([&] {
              ::rlimit limit{};
              ::getrlimit(RLIMIT_NOFILE, &limit);
              static_cast<void>(select(readable(ends_[0], [] {}), otherwise([] {})));  // has its own one now
              limit.rlim_cur = 2;
              REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
              int refused = 0;
              try {
                select(readable(ends_[0], [] {}), readable(ends_[0], [] {}), after(1h));
              } catch (const std::system_error& error) {
                refused = error.code().value();
              }
              REQUIRE_IN_CHILD(refused == EINVAL);
            }),
            0);
}

TEST_F(Descriptors, snapshot_says_since_when_a_task_waits_for_one) {
  ThreadGroup group("Reader");
  group.post([&] { select(readable(ends_[0], [] {})); });
  test::eventually([&] {
    const auto running = group.join(Duration()).running;
    return running.size() == 1 && running[0].waits_for == "one of several cases (tg::select)" &&
           running[0].waiting_for > Duration();
  });
  write_one();
}

}  // namespace
}  // namespace select_test
}  // namespace tg
