// SPDX-License-Identifier: Apache-2.0
// Permits: taking, waiting in order, stopping, misuse.
#include <threadgroup/semaphore.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/clock.hpp>
#include <threadgroup/thread_group.hpp>

#include "sync/support.hpp"

namespace tg {
namespace semaphore_test {
namespace {

using namespace std::chrono_literals;
using detail::ParkingQueue;
using sync_test::wait_for_waiters;

static_assert(sizeof(Semaphore) <= 16);

TEST(Semaphore, has_as_many_permits_as_were_released) {
  Semaphore semaphore(2);
  EXPECT_EQ(semaphore.acquire(), WaitOutcome::ready);
  EXPECT_TRUE(semaphore.try_acquire());
  EXPECT_FALSE(semaphore.try_acquire());
  semaphore.release(3);
  EXPECT_EQ(semaphore.available(), 3);
  EXPECT_TRUE(semaphore.try_acquire(2));
  EXPECT_FALSE(semaphore.try_acquire(2));
  EXPECT_EQ(semaphore.acquire(0), WaitOutcome::ready);
  EXPECT_EQ(semaphore.available(), 1);
}

TEST(Semaphore, a_wait_times_out_and_takes_nothing) {
  Semaphore semaphore(1);
  EXPECT_EQ(semaphore.acquire(2, 0s), WaitOutcome::timed_out);
  EXPECT_EQ(semaphore.acquire(2, -1s), WaitOutcome::timed_out);
  const TimePoint begin = now();
  EXPECT_EQ(semaphore.acquire(2, 2ms), WaitOutcome::timed_out);
  EXPECT_GE(now() - begin, Duration(2ms));
  EXPECT_TRUE(semaphore.try_acquire());
}

TEST(Semaphore, a_stop_ends_a_wait) {
  Semaphore semaphore(0);
  ThreadGroup group("Users");
  auto handle = group.add_task([&] { return semaphore.acquire(); });
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 1);
  group.set_event("enough");
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
  semaphore.release();
  EXPECT_EQ(semaphore.available(), 1);
}

TEST(Semaphore, a_stopped_caller_takes_no_free_permit) {
  Semaphore semaphore(1);
  ThreadGroup group("Users");
  auto handle = group.add_task([&] {
    group.set_event("before");
    return semaphore.acquire();
  });
  EXPECT_EQ(handle.get(), WaitOutcome::event_set);
  EXPECT_EQ(semaphore.available(), 1);
}

TEST(Semaphore, one_that_wants_many_is_not_overtaken) {
  Semaphore semaphore(1);
  std::vector<int> order;
  std::thread many([&] {
    EXPECT_EQ(semaphore.acquire(3), WaitOutcome::ready);
    order.push_back(3);
    semaphore.release(3);
  });
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 1);
  EXPECT_FALSE(semaphore.try_acquire()) << "there is a permit, but it is not the caller's turn";
  std::thread one([&] {
    EXPECT_EQ(semaphore.acquire(3), WaitOutcome::ready);
    order.push_back(1);
    semaphore.release(3);
  });
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 2);
  semaphore.release();
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 2);
  EXPECT_EQ(semaphore.available(), 2);
  semaphore.release();
  many.join();
  one.join();
  EXPECT_EQ(order, (std::vector{3, 1}));
  EXPECT_EQ(semaphore.available(), 3);
}

TEST(Semaphore, those_behind_a_waiter_that_leaves_move_up) {
  Semaphore semaphore(1);
  ThreadGroup stopped("Stopped");
  auto many = stopped.add_task([&] { return semaphore.acquire(5); });
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 1);
  std::thread one([&] { EXPECT_EQ(semaphore.acquire(), WaitOutcome::ready); });
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 2);
  stopped.set_event("enough");
  one.join();
  EXPECT_EQ(many.get(), WaitOutcome::event_set);
  EXPECT_EQ(semaphore.available(), 0);
}

TEST(Semaphore, one_release_serves_as_many_as_it_has_permits_for) {
  Semaphore semaphore(0);
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back([&] {
      EXPECT_EQ(semaphore.acquire(), WaitOutcome::ready);
      ++served;
    });
  }
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 5);
  semaphore.release(3);
  wait_for_waiters(&semaphore, ParkingQueue::semaphore, 2);
  semaphore.release(4);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 5);
  EXPECT_EQ(semaphore.available(), 2);
}

TEST(Semaphore, many_permits_are_added_up_to_the_most) {
  constexpr std::ptrdiff_t kMany = std::ptrdiff_t{1} << 31;  // above it, a release goes another way
  for (const std::ptrdiff_t added : {kMany - 1, kMany, kMany + 1}) {
    Semaphore semaphore(Semaphore::max() - added - 1);
    semaphore.release(added);
    EXPECT_EQ(semaphore.available(), Semaphore::max() - 1);
    EXPECT_THROW(semaphore.release(2), std::overflow_error);
    semaphore.release();
    EXPECT_THROW(semaphore.release(added), std::overflow_error);
    EXPECT_EQ(semaphore.available(), Semaphore::max());
  }
}

TEST(Semaphore, wrong_numbers_of_permits_are_refused) {
  EXPECT_THROW(Semaphore(-1), std::invalid_argument);
  EXPECT_THROW(Semaphore(Semaphore::max() + 1), std::invalid_argument);
  EXPECT_THROW(Semaphore{std::numeric_limits<std::ptrdiff_t>::max()}, std::invalid_argument);
  EXPECT_THROW(Semaphore{std::numeric_limits<std::ptrdiff_t>::min()}, std::invalid_argument);
  Semaphore semaphore(1);
  EXPECT_THROW(static_cast<void>(semaphore.acquire(-1)), std::invalid_argument);
  EXPECT_THROW(semaphore.try_acquire(-1), std::invalid_argument);
  EXPECT_THROW(semaphore.release(-1), std::invalid_argument);
  EXPECT_THROW(semaphore.release(Semaphore::max()), std::overflow_error);
  EXPECT_EQ(semaphore.available(), 1);
  semaphore.release(Semaphore::max() - 1);
  EXPECT_EQ(semaphore.available(), Semaphore::max());
  EXPECT_THROW(semaphore.release(), std::overflow_error);
  try {
    semaphore.release(-7);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("-7 permits"), std::string::npos);
  }
}

}  // namespace
}  // namespace semaphore_test
}  // namespace tg
