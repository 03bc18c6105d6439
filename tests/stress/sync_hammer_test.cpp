// SPDX-License-Identifier: Apache-2.0
// Hammers for the primitives: a million operations of each, in tasks that are stopped at random moments. What goes
// in is counted, and what comes out.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"

namespace tg::stress {
namespace sync_hammer_test {
namespace {

using namespace std::chrono_literals;

constexpr int kWorkers = 4;
constexpr std::int64_t kOperations = many(1'000'000);

// Mostly no time-out; else one that is about as long as the wait.
Duration random_time_out(Random& random) {
  return random.one_in(4) ? Duration(1us * random.below(100)) : Duration::max();
}

// Runs `work` in tasks until so many operations were made: `work` makes one of them, and returns how it ended. The
// group of the tasks is stopped at random moments, and another one continues. Returns how many were stopped.
template <class Work>
std::int64_t hammer(std::int64_t operations, Work work) {
  Random random(choose_seed());
  std::atomic<std::int64_t> made{0};
  std::atomic<std::int64_t> stopped{0};
  while (made < operations) {
    ThreadGroup group("Hammers", {.max_concurrent_threads = kWorkers});
    for (int i = 0; i < kWorkers; ++i) {
      group.post([&, seed = random.fork(), i] {
        Random mine(seed);
        while (!thread_utils::event_is_set()) {
          if (work(mine, i) == WaitOutcome::event_set) ++stopped;
          ++made;
        }
      });
    }
    const std::int64_t until = made + 100 + random.below(5'000);
    while (made < until && made < operations) std::this_thread::yield();
    group.set_event();
    EXPECT_TRUE(group.join(60s)) << "a waiter was not woken";
  }
  return stopped;
}

TEST(SyncMillion, a_mutex_excludes) {
  Mutex mutex;
  std::int64_t inside = 0;  // guarded by the mutex
  std::atomic<std::int64_t> entered{0};
  std::atomic<bool> done{false};
  std::thread plain([&] {  // a thread that is never stopped and never gives up
    while (!done) {
      const std::scoped_lock lock(mutex);
      ++inside;
      ++entered;
    }
  });
  hammer(kOperations, [&](Random& random, int) {
    if (random.one_in(8)) {
      if (!mutex.try_lock()) return WaitOutcome::timed_out;
    } else if (random.one_in(8)) {
      mutex.lock();
    } else if (const WaitOutcome outcome = mutex.event_aware_lock(random_time_out(random));
               outcome != WaitOutcome::ready) {
      return outcome;
    }
    ++inside;
    ++entered;
    if (random.one_in(100)) std::this_thread::yield();
    mutex.unlock();
    return WaitOutcome::ready;
  });
  done = true;
  plain.join();
  EXPECT_EQ(inside, entered);
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

TEST(SyncMillion, a_semaphore_loses_no_permit) {
  constexpr int kPermits = 4;
  Semaphore semaphore(kPermits);
  std::atomic<int> taken{0};
  hammer(kOperations, [&](Random& random, int) {
    const int wanted = 1 + random.below(kPermits);
    const WaitOutcome outcome =
        random.one_in(8) ? (semaphore.try_acquire(wanted) ? WaitOutcome::ready : WaitOutcome::closed)
                         : semaphore.acquire(wanted, random_time_out(random));
    if (outcome != WaitOutcome::ready) return outcome;
    EXPECT_LE(taken += wanted, kPermits);
    if (random.one_in(100)) std::this_thread::yield();
    taken -= wanted;
    semaphore.release(wanted);
    return outcome;
  });
  EXPECT_EQ(semaphore.available(), kPermits);
}

// A queue of a few items.
TEST(SyncMillion, a_condition_variable_loses_no_notification) {
  constexpr std::int64_t kMost = 16;
  Mutex mutex;
  ConditionVariable added;
  ConditionVariable removed;
  std::int64_t items = 0;  // guarded by the mutex
  std::atomic<std::int64_t> put{0};
  std::atomic<std::int64_t> taken{0};
  hammer(kOperations, [&](Random& random, int worker) {
    const bool puts = worker % 2 == 0;
    {
      std::unique_lock lock(mutex);
      const auto is_possible = [&] { return puts ? items < kMost : items > 0; };
      const WaitOutcome outcome = (puts ? removed : added).wait(lock, is_possible, random_time_out(random));
      EXPECT_TRUE(lock.owns_lock());
      if (outcome != WaitOutcome::ready) return outcome;
      items += puts ? 1 : -1;
    }
    ++(puts ? put : taken);
    ConditionVariable& changed = puts ? added : removed;
    if (random.one_in(16)) changed.notify_all();
    else changed.notify_one();
    return WaitOutcome::ready;
  });
  EXPECT_EQ(put, taken + items);
}

// One latch after the other: the task that counts a latch down to zero puts the next one in its place.
TEST(SyncMillion, a_latch_lets_no_thread_through_early) {
  constexpr int kCount = 3;
  std::mutex of_current;
  auto current = std::make_shared<Latch>(kCount);
  std::int64_t left = kCount;  // guarded, as `current` is
  std::atomic<std::int64_t> early{0};
  hammer(kOperations, [&](Random& random, int) {
    std::shared_ptr<Latch> latch;
    {
      const std::scoped_lock lock(of_current);
      latch = current;
      if (random.one_in(2)) {
        latch->count_down();
        if (--left == 0) {
          current = std::make_shared<Latch>(kCount);
          left = kCount;
        }
      }
    }
    if (!random.one_in(4)) return WaitOutcome::closed;
    const WaitOutcome outcome = latch->wait(1us * random.below(16));
    if (outcome == WaitOutcome::ready && !latch->is_ready()) ++early;
    return outcome;
  });
  EXPECT_EQ(early, 0);
}

// In each meeting either all threads learn that they met, or none does.
TEST(SyncMillion, either_all_threads_of_a_meeting_meet_or_none) {
  struct Meeting {
    Barrier barrier{kWorkers};
    std::atomic<std::int64_t> arrivals{0};
  };
  std::mutex of_current;
  auto current = std::make_shared<Meeting>();
  std::atomic<std::int64_t> wrong{0};
  std::atomic<std::int64_t> met{0};
  hammer(kOperations, [&](Random& random, int) {
    std::shared_ptr<Meeting> meeting;
    {
      const std::scoped_lock lock(of_current);
      if (current->barrier.is_broken()) current = std::make_shared<Meeting>();
      meeting = current;
    }
    const std::int64_t before = ++meeting->arrivals;
    const WaitOutcome outcome = meeting->barrier.arrive_and_wait(
        random.one_in(16) ? Duration(1us * random.below(100)) : Duration::max());
    if (outcome != WaitOutcome::ready) return outcome;
    ++met;
    // This was one of the arrivals of a meeting, so all of that meeting's have come.
    const std::int64_t all_of_it = (before + kWorkers - 1) / kWorkers * kWorkers;
    if (meeting->arrivals < all_of_it) ++wrong;
    return outcome;
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(met % kWorkers, 0);
}

TEST(SyncMillion, select_does_one_case_exactly_once) {
  Channel<std::int64_t> roomy(2);
  Channel<std::int64_t> meeting(0);
  std::atomic<std::int64_t> sent{0};
  std::atomic<std::int64_t> received{0};
  std::atomic<std::int64_t> in_flight{0};
  hammer(kOperations, [&](Random& random, int worker) {
    int ran = 0;
    Selected chosen{WaitOutcome::timed_out, 0};
    const Duration time_out = random_time_out(random);
    const auto time = [&] { ++ran; };
    if (worker % 2 == 0) {
      const std::int64_t value = 1 + random.below(1'000);
      const auto count = [&] {
        ++ran;
        ++in_flight;
        sent += value;
      };
      chosen = select(send_to(roomy, value, count), send_to(meeting, value, count), after(time_out, time));
    } else {
      const auto count = [&](std::int64_t value) {
        ++ran;
        --in_flight;
        received += value;
      };
      chosen = select(receive_from(roomy, count), receive_from(meeting, count), after(time_out, time));
    }
    EXPECT_EQ(ran, chosen ? 1 : 0);
    return chosen.outcome;
  });
  while (const std::optional<std::int64_t> left = roomy.try_receive()) {
    --in_flight;
    received += *left;
  }
  EXPECT_EQ(in_flight, 0);
  EXPECT_EQ(sent, received);
}

TEST(SyncMillion, a_rate_limiter_keeps_its_rate_while_callers_are_stopped) {
  constexpr double kPerSecond = 4'000'000;
  constexpr double kBurst = 500;
  const TimePoint begin = now();
  RateLimiter limiter(kPerSecond, kBurst);
  std::atomic<std::int64_t> taken{0};
  std::atomic<std::int64_t> refused{0};
  const std::int64_t stopped = hammer(kOperations, [&](Random& random, int) {
    const int wanted = 1 + random.below(20);
    const WaitOutcome outcome = random.one_in(8)
                                    ? (limiter.try_acquire(wanted) ? WaitOutcome::ready : WaitOutcome::closed)
                                    : limiter.acquire(wanted, random_time_out(random));
    if (outcome == WaitOutcome::ready) taken += wanted;
    if (outcome == WaitOutcome::closed) ++refused;
    return outcome;
  });
  EXPECT_GT(stopped, 0);
  EXPECT_GT(refused, 0) << "no call met the limit";
  EXPECT_LE(static_cast<double>(taken),
            kBurst + kPerSecond * 1e-9 * static_cast<double>((now() - begin).nanos()));
  // If a stopped caller had left its place in the queue, this would time out.
  EXPECT_EQ(limiter.acquire(kBurst, 10s), WaitOutcome::ready);
}

// No waiter starves: with more threads than processors, each gets its share of a lock and of permits.
template <class Use>
void each_gets_its_share(Use use) {
  std::atomic<bool> done{false};
  std::vector<std::atomic<int>> uses(8);
  std::vector<std::thread> threads;
  for (std::atomic<int>& mine : uses) {
    threads.emplace_back([&] {
      while (!done) {
        use();
        ++mine;
      }
    });
  }
  // If one starved, this would not end.
  for (std::atomic<int>& one : uses)
    while (one < 50) std::this_thread::yield();
  done = true;
  for (std::thread& thread : threads) thread.join();
}

void hold_for(Duration time) {
  const TimePoint until = now() + time;
  while (now() < until) {
  }
}

TEST(SyncHammer, no_thread_starves_at_a_mutex) {
  Mutex mutex;
  each_gets_its_share([&] {
    const std::scoped_lock lock(mutex);
    hold_for(20us);
  });
}

TEST(SyncHammer, no_thread_starves_at_a_semaphore) {
  Semaphore semaphore(2);
  std::atomic<std::ptrdiff_t> next{0};
  each_gets_its_share([&] {
    const std::ptrdiff_t wanted = 1 + next++ % 2;
    static_cast<void>(semaphore.acquire(wanted));
    hold_for(20us);
    semaphore.release(wanted);
  });
}

}  // namespace
}  // namespace sync_hammer_test
}  // namespace tg::stress
