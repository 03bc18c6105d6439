// SPDX-License-Identifier: Apache-2.0
// The queue of waiters: linking, unlinking, releasing, and both at once.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include <threadgroup/detail/wait_queue.hpp>

#include "event/wait.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"

namespace tg::inline v0::detail {
namespace wait_queue_test {
namespace {

using runtime::Flow;

TEST(WaitQueue, is_empty_until_a_flow_waits) {
  WaitQueue queue;
  EXPECT_TRUE(queue.empty());
  WaitNode node(Flow::current());
  queue.link(node);
  EXPECT_FALSE(queue.empty());
  queue.unlink(node);
  EXPECT_TRUE(queue.empty());
}

TEST(WaitQueue, linking_twice_is_linking_once) {
  WaitQueue queue;
  WaitNode node(Flow::current());
  queue.link(node);
  queue.link(node);
  queue.unlink(node);
  EXPECT_TRUE(queue.empty());
}

TEST(WaitQueue, unlinking_what_was_never_linked_is_harmless) {
  WaitQueue queue;
  WaitNode stranger(Flow::current());
  WaitNode node(Flow::current());
  queue.link(node);
  queue.unlink(stranger);
  EXPECT_FALSE(queue.empty());
  queue.unlink(node);
}

TEST(WaitQueue, nodes_leave_from_anywhere_in_the_queue) {
  // Every order in which three can leave.
  const std::array<std::array<int, 3>, 6> orders{
      {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
  for (const auto& order : orders) {
    WaitQueue queue;
    std::array<std::unique_ptr<WaitNode>, 3> nodes;
    for (auto& node : nodes) {
      node = std::make_unique<WaitNode>(Flow::current());
      queue.link(*node);
    }
    for (const int i : order) {
      EXPECT_FALSE(queue.empty());
      queue.unlink(*nodes[static_cast<std::size_t>(i)]);
      nodes[static_cast<std::size_t>(i)].reset();
    }
    EXPECT_TRUE(queue.empty());
  }
}

TEST(WaitQueue, a_release_leaves_a_permit_and_takes_the_node_out) {
  WaitQueue queue;
  Flow& me = Flow::current();
  me.park_until(runtime::now());
  WaitNode node(me);
  queue.link(node);
  queue.release_all();
  EXPECT_TRUE(queue.empty());
  me.park_until(TimePoint::never());  // would hang
  queue.unlink(node);                 // out already: harmless
}

TEST(WaitQueue, a_released_node_can_stand_in_line_again) {
  WaitQueue queue;
  Flow& me = Flow::current();
  WaitNode node(me);
  for (int i = 0; i < 3; ++i) {
    queue.link(node);
    EXPECT_FALSE(queue.empty());
    queue.release_all();
    EXPECT_TRUE(queue.empty());
    me.park_until(TimePoint::never());
  }
  queue.unlink(node);
}

TEST(WaitQueue, a_release_wakes_all_waiters) {
  WaitQueue queue;
  constexpr int kWaiters = 6;
  std::atomic<bool> open{false};
  std::atomic<int> linked{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&] {
      WaitNode node(Flow::current());
      queue.link(node);
      ++linked;
      while (!open) Flow::current().park_until(TimePoint::never());
      queue.unlink(node);
    });
  }
  test::eventually([&] { return linked == kWaiters; });
  open = true;
  queue.release_all();
  for (auto& waiter : waiters) waiter.join();
  EXPECT_TRUE(queue.empty());
}

TEST(WaitQueue, waiters_that_leave_and_a_releaser_do_not_touch_each_others_nodes) {
  WaitQueue queue;
  std::atomic<bool> stop{false};
  std::vector<std::thread> waiters;
  std::atomic<int> leaving{3};
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([&] {
      for (int round = 0; round < 3'000; ++round) {
        WaitNode node(Flow::current());  // its memory is used again at once: the sanitizers watch
        queue.link(node);
        if (round % 2 == 0) queue.link(node);
        queue.unlink(node);
      }
      --leaving;
    });
  }
  std::thread releaser([&] {
    while (!stop) queue.release_all();
  });
  test::eventually([&] { return leaving == 0; });
  stop = true;
  releaser.join();
  for (auto& waiter : waiters) waiter.join();
  EXPECT_TRUE(queue.empty());
}

TEST(WaitQueue, sleepers_do_not_wait_for_what_the_called_ones_do) {
  WaitQueue queue;
  std::atomic<bool> ready{false};
  std::latch queued(1);
  static std::latch* awake = nullptr;
  std::latch sleeper_is_awake(1);
  awake = &sleeper_is_awake;
  std::thread sleeper([&] {
    int looks = 0;
    const auto look = [&] {
      if (++looks == 2) queued.count_down();  // the second look comes after queueing
      return ready.load();
    };
    EXPECT_EQ(wait(queue, look, {}, TimePoint::never()), WaitOutcome::ready);
    sleeper_is_awake.count_down();
  });
  queued.wait();
  WaitNode called([](WaitNode&) noexcept { awake->wait(); });
  queue.link(called);  // it is before the sleeper
  ready = true;
  queue.release_all();
  sleeper.join();
}

TEST(WaitQueue, unlink_says_whether_a_node_to_be_called_still_stood_there) {
  WaitQueue queue;
  static int calls = 0;
  const auto count = [](WaitNode&) noexcept { ++calls; };
  WaitNode left(count);
  EXPECT_FALSE(queue.unlink(left));  // never linked
  queue.link(left);
  EXPECT_TRUE(queue.unlink(left));
  WaitNode called(count);
  queue.link(called);
  queue.release_all();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(queue.unlink(called));
}

}  // namespace
}  // namespace wait_queue_test
}  // namespace tg::inline v0::detail
