// SPDX-License-Identifier: Apache-2.0
// Permits with several waiters and promises: who has one next.
#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <vector>

#include "runtime/flow.hpp"
#include "tree/permits.hpp"

namespace tg::test {
namespace permits_test {
namespace {

using detail::Permits;
using Bools = std::vector<bool>;

// Permits that are all taken, and waiters in the order of their indices.
class Queue {
 public:
  Queue(std::size_t permits, std::size_t waiters) : permits_(permits) {
    permits_.take_anyway(permits);
    for (std::size_t i = 0; i < waiters; ++i)
      EXPECT_FALSE(permits_.take_or_wait(waiters_.emplace_back(runtime::Flow::current())));
  }
  ~Queue() {
    for (Permits::Waiter& waiter : waiters_) static_cast<void>(permits_.withdraw(waiter));
  }
  Permits* operator->() { return &permits_; }
  Permits::Waiter& operator[](std::size_t i) { return waiters_[i]; }
  Bools promised() const {
    Bools promised;
    for (const Permits::Waiter& waiter : waiters_) promised.push_back(permits_.is_promised(waiter));
    return promised;
  }

 private:
  Permits permits_;
  std::deque<Permits::Waiter> waiters_;
};

TEST(Permits, that_come_back_together_are_promised_in_order) {
  Queue queue(3, 4);
  queue->give_back(2);
  EXPECT_EQ(queue.promised(), (Bools{true, true, false, false}));
  EXPECT_FALSE(queue->try_take());  // others wait
  EXPECT_FALSE(queue->take_or_wait(queue[2]));
  queue->give_back();
  EXPECT_EQ(queue.promised(), (Bools{true, true, true, false}));
}

TEST(Permits, promise_is_kept_if_a_later_waiter_takes_first) {
  Queue queue(2, 3);
  queue->give_back(2);
  EXPECT_TRUE(queue->take_or_wait(queue[1]));
  EXPECT_EQ(queue.promised(), (Bools{true, false, false}));
  EXPECT_EQ(queue->waiting(), 2u);
  EXPECT_TRUE(queue->take_or_wait(queue[0]));
  EXPECT_FALSE(queue->take_or_wait(queue[2]));
  queue->give_back();
  EXPECT_TRUE(queue->take_or_wait(queue[2]));
}

TEST(Permits, taking_anyway_revokes_the_last_promises) {
  Queue queue(3, 4);
  queue->give_back(3);
  queue->take_anyway(2);
  EXPECT_EQ(queue.promised(), (Bools{true, false, false, false}));
  EXPECT_FALSE(queue->take_or_wait(queue[1]));
  queue->give_back();
  EXPECT_EQ(queue.promised(), (Bools{true, true, false, false}));
  queue->give_back(2);
  EXPECT_EQ(queue.promised(), (Bools{true, true, true, true}));
}

TEST(Permits, promises_come_back_only_when_those_taken_beyond_the_bound_have) {
  Queue queue(1, 2);
  queue->give_back();
  queue->take_anyway(3);
  EXPECT_EQ(queue.promised(), (Bools{false, false}));
  queue->give_back(2);
  EXPECT_EQ(queue.promised(), (Bools{false, false}));
  queue->give_back();
  EXPECT_EQ(queue.promised(), (Bools{true, false}));
}

TEST(Permits, waiter_that_leaves_has_what_it_was_promised) {
  Queue queue(2, 4);
  queue->give_back(2);
  EXPECT_FALSE(queue->withdraw(queue[2]));  // it was promised none
  EXPECT_TRUE(queue->withdraw(queue[0]));
  EXPECT_EQ(queue.promised(), (Bools{false, true, false, false}));
  queue->give_back();
  EXPECT_EQ(queue.promised(), (Bools{false, true, false, true}));
  EXPECT_FALSE(queue->withdraw(queue[0]));  // it is not in the queue
  EXPECT_EQ(queue->waiting(), 2u);
}

TEST(Permits, who_asks_is_promised_one_and_takes_it_later) {
  Permits permits(2);
  Permits::Waiter first(runtime::Flow::current());
  Permits::Waiter second(runtime::Flow::current());
  Permits::Waiter third(runtime::Flow::current());
  EXPECT_TRUE(permits.ask(first));
  EXPECT_TRUE(permits.ask(second));
  EXPECT_FALSE(permits.ask(third));
  permits.take_anyway();
  EXPECT_TRUE(permits.ask(first));
  EXPECT_FALSE(permits.ask(second));
  EXPECT_TRUE(permits.take_or_wait(first));
  permits.give_back();
  EXPECT_TRUE(permits.ask(second));
  EXPECT_FALSE(permits.ask(third));
  EXPECT_TRUE(permits.take_or_wait(second));
  permits.give_back();
  EXPECT_TRUE(permits.take_or_wait(third));
  EXPECT_EQ(permits.waiting(), 0u);
}

TEST(Permits, load_includes_those_promised_and_those_beyond_the_bound) {
  Queue queue(3, 1);
  EXPECT_EQ(queue->load().taken, 3u);
  EXPECT_EQ(queue->load().waiting, 1u);
  queue->give_back();
  EXPECT_EQ(queue->load().waiting, 0u);
  EXPECT_EQ(queue->load().taken, 3u);
  queue->change_count(-2);
  EXPECT_EQ(queue.promised(), (Bools{false}));
  EXPECT_EQ(queue->load().taken, 2u);
  queue->take_anyway();
  EXPECT_EQ(queue->load().taken, 3u);
  queue->change_count(3);
  EXPECT_EQ(queue.promised(), (Bools{true}));
  EXPECT_EQ(queue->load().taken, 4u);
}

}  // namespace
}  // namespace permits_test
}  // namespace tg::test
