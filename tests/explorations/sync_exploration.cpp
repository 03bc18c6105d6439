// SPDX-License-Identifier: Apache-2.0
// The primitives that users lock and wait for.
#include <threadgroup/sync.hpp>

#include <array>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "event/event.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/plain.hpp"

#include "explorations/explore.hpp"
#include "support/set_event.hpp"

namespace tg::test {
namespace sync_exploration {
namespace {

using detail::Atomic;
using detail::Event;
using runtime::Flow;

constexpr Duration kShort = Duration::from_nanos(1000);

// The calling flow is stopped by the event, as if it ran a task.
class CoveredBy {
 public:
  explicit CoveredBy(Event& event) { Flow::current().event = &event; }
  ~CoveredBy() { Flow::current().event = nullptr; }
  CoveredBy(const CoveredBy&) = delete;
  CoveredBy& operator=(const CoveredBy&) = delete;
};

// ---- Mutex

TEST(SyncMutexExploration, names_the_lock_of_users) {
  static_assert(!std::is_same_v<tg::Mutex, detail::Mutex>);
}

TG_EXPLORATION(SyncMutexExploration, three_flows_are_inside_one_at_a_time) {
  tg::Mutex mutex;
  Atomic<int> inside{0};
  int entered = 0;
  const auto enter = [&] {
    const std::scoped_lock lock(mutex);
    require(inside.fetch_add(1) == 0, "one flow holds the lock");
    ++entered;
    inside.fetch_sub(1);
  };
  together({{"first", enter}, {"second", enter}, {"third", enter}});
  require(entered == 3, "each flow entered");
}
TG_FINDS(SyncMutexExploration, three_flows_are_inside_one_at_a_time, sync_mutex_links_without_look, 1000)
TG_FINDS(SyncMutexExploration, three_flows_are_inside_one_at_a_time, sync_mutex_forgets_others, 2000)

// Those that have waited for a millisecond are handed the lock.
TG_EXPLORATION(SyncMutexExploration, the_lock_is_handed_over) {
  tg::Mutex mutex;
  Atomic<int> inside{0};
  const auto enter = [&] {
    const std::scoped_lock lock(mutex);
    require(inside.fetch_add(1) == 0, "one flow holds the lock");
    pause();
    inside.fetch_sub(1);
  };
  together({{"first", enter}, {"second", enter}, {"third", enter}});
}

TG_WEAK_EXPLORATION(SyncMutexExploration, plain_data_needs_the_lock) {
  tg::Mutex mutex;
  if (TG_PLANTED(sync_mutex_publishes_nothing))
    weaken(mutex, std::memory_order_release, std::memory_order_relaxed);
  if (TG_PLANTED(sync_mutex_sees_nothing))
    weaken(mutex, std::memory_order_acquire, std::memory_order_relaxed);
  sim::Plain<int> entered{0};
  const auto enter = [&] {
    mutex.lock();
    entered.write(entered.read() + 1);
    mutex.unlock();
  };
  together({{"first", enter}, {"second", enter}});
  require(entered.read() == 2, "each flow entered");
}
TG_FINDS(SyncMutexExploration, plain_data_needs_the_lock, sync_mutex_sees_nothing, 1000)
TG_FINDS(SyncMutexExploration, plain_data_needs_the_lock, sync_mutex_publishes_nothing, 1000)

// What one flow at a time is in.
struct Guarded {
  tg::Mutex mutex;
  Atomic<int> inside{0};

  void lock_and_leave() {
    mutex.lock();
    leave();
  }
  void leave() {
    require(inside.fetch_add(1) == 0, "one flow holds the lock");
    inside.fetch_sub(1);
    mutex.unlock();
  }
};

TG_EXPLORATION(SyncMutexExploration, a_stop_and_an_unlock_come_at_once) {
  Guarded guarded;
  Event event;
  const auto lock = [&] { guarded.lock_and_leave(); };
  together({{"stopped",
             [&] {
               const CoveredBy covered(event);
               if (guarded.mutex.event_aware_lock() == WaitOutcome::ready) guarded.leave();
             }},
            {"first", lock},
            {"second", lock},
            {"setter", [&] { set(event); }}});
}

// A waiter that was woken, comes too late and is stopped passes on what it was woken for.
TG_EXPLORATION(SyncMutexExploration, a_stop_takes_no_wake_up_with_it) {
  hold_clock();
  tg::Mutex mutex;
  Event event;
  mutex.lock();
  together({{"stopped",
             [&] {
               const CoveredBy covered(event);
               if (mutex.event_aware_lock() == WaitOutcome::ready) mutex.unlock();
             }},
            {"other",
             [&] {
               mutex.lock();
               mutex.unlock();
             }},
            {"holder", [&] {
               Flow::current().park_until(runtime::after(kShort));  // until the others wait
               mutex.unlock();
               mutex.lock();
               set(event);
               mutex.unlock();
             }}});
}
TG_FINDS(SyncMutexExploration, a_stop_takes_no_wake_up_with_it, sync_mutex_stopped_one_stays_woken, 2000)

TG_EXPLORATION(SyncMutexExploration, a_time_out_takes_no_wake_up_with_it) {
  Guarded guarded;
  const auto lock = [&] { guarded.lock_and_leave(); };
  together({{"impatient",
             [&] {
               if (guarded.mutex.event_aware_lock(kShort) == WaitOutcome::ready) guarded.leave();
             }},
            {"first", lock},
            {"second", lock}});
}

// The next holder may destroy the lock that another flow has just released.
TG_EXPLORATION(SyncMutexExploration, the_last_holder_destroys_it) {
  struct Shared {
    tg::Mutex mutex;
    int owners = 3;
  };
  auto* const shared = new Shared;
  const auto leave = [shared] {
    shared->mutex.lock();
    const bool last = --shared->owners == 0;
    shared->mutex.unlock();
    if (!last) return;
    delete shared;
    reuse(shared, sizeof *shared);
  };
  together({{"first", leave}, {"second", leave}, {"third", leave}});
}

// ---- ConditionVariable

TG_EXPLORATION(ConditionVariableExploration, no_notification_is_lost) {
  tg::Mutex mutex;
  ConditionVariable changed;
  int tokens = 0;
  const auto take = [&] {
    std::unique_lock lock(mutex);
    require(changed.wait(lock, [&] { return tokens > 0; }) == WaitOutcome::ready, "there was a token");
    --tokens;
  };
  together({{"first", take}, {"second", take}, {"giver", [&] {
                                                  for (int i = 0; i < 2; ++i) {
                                                    mutex.lock();
                                                    ++tokens;
                                                    mutex.unlock();
                                                    changed.notify_one();
                                                  }
                                                }}});
  require(tokens == 0, "each took one");
}
TG_FINDS(ConditionVariableExploration, no_notification_is_lost, condition_waiter_unlocks_too_early, 500)
TG_FINDS(ConditionVariableExploration, no_notification_is_lost, condition_forgets_others, 500)

// A waiter that is stopped at the moment of a notification uses it, or another waiter is woken.
TG_EXPLORATION(ConditionVariableExploration, a_stop_takes_no_notification_with_it) {
  tg::Mutex mutex;
  ConditionVariable changed;
  Event event;
  int tokens = 0;
  const auto take = [&] {
    std::unique_lock lock(mutex);
    const WaitOutcome outcome = changed.wait(lock, [&] { return tokens > 0; });
    require(lock.owns_lock(), "the lock is held");
    require((outcome == WaitOutcome::ready) == (tokens > 0), "the outcome says what is true");
    if (tokens > 0) --tokens;
    return outcome;
  };
  const auto give = [&] {
    mutex.lock();
    ++tokens;
    mutex.unlock();
    changed.notify_one();
  };
  together({{"stopped",
             [&] {
               const CoveredBy covered(event);
               if (take() == WaitOutcome::ready) give();
             }},
            {"other", [&] { require(take() == WaitOutcome::ready, "it got the token"); }},
            {"giver", give},
            {"setter", [&] { set(event); }}});
}

// ---- Semaphore

TG_EXPLORATION(SemaphoreExploration, permits_are_neither_lost_nor_doubled) {
  Semaphore semaphore(0);
  const auto use = [&] { require(semaphore.acquire() == WaitOutcome::ready, "it got a permit"); };
  together({{"first", use}, {"second", use}, {"giver", [&] {
                                                semaphore.release();
                                                semaphore.release();
                                              }}});
  require(semaphore.available() == 0, "each took one");
}
TG_FINDS(SemaphoreExploration, permits_are_neither_lost_nor_doubled, semaphore_forgets_others, 500)
TG_FINDS(SemaphoreExploration, permits_are_neither_lost_nor_doubled, semaphore_adder_serves_no_one, 500)

TG_EXPLORATION(SemaphoreExploration, those_behind_a_stopped_waiter_move_up) {
  Semaphore semaphore(1);
  Event event;
  Atomic<int> taken{0};
  together({{"stopped",
             [&] {
               const CoveredBy covered(event);
               if (semaphore.acquire(2) == WaitOutcome::ready) taken.fetch_add(2);
             }},
            {"other",
             [&] {
               require(semaphore.acquire() == WaitOutcome::ready, "it got a permit");
               taken.fetch_add(1);
               semaphore.release();
               taken.fetch_sub(1);
             }},
            {"setter", [&] { set(event); }}});
  require(semaphore.available() + taken.load() == 1, "there is one permit");
}
TG_FINDS(SemaphoreExploration, those_behind_a_stopped_waiter_move_up, semaphore_leaver_serves_no_one, 500)

TG_EXPLORATION(SemaphoreExploration, a_time_out_and_a_release_come_at_once) {
  Semaphore semaphore(0);
  Atomic<int> taken{0};
  together({{"impatient",
             [&] {
               if (semaphore.acquire(1, kShort) == WaitOutcome::ready) taken.fetch_add(1);
             }},
            {"stopped",
             [&] {
               Event event;
               set(event);
               const CoveredBy covered(event);
               require(semaphore.acquire() == WaitOutcome::event_set, "a stopped caller takes nothing");
             }},
            {"giver", [&] { semaphore.release(); }}});
  require(semaphore.available() + taken.load() == 1, "there is one permit");
}

TG_EXPLORATION(SemaphoreExploration, the_last_user_destroys_it) {
  std::optional<Semaphore> semaphore(std::in_place, 0);
  together({{"waiter",
             [&] {
               require(semaphore->acquire() == WaitOutcome::ready, "it got a permit");
               semaphore.reset();
               reuse(&semaphore, sizeof(Semaphore));
             }},
            {"giver", [&] { semaphore->release(); }}});
}
TG_IN_WEAK_MEMORY(SemaphoreExploration, the_last_user_destroys_it)

// One releaser may hand over the permit of the other, which then comes too late to serve.
TG_EXPLORATION(SemaphoreExploration, a_waiter_that_takes_permits_of_two_releases_destroys_it) {
  std::optional<Semaphore> semaphore(std::in_place, 0);
  std::array<sim::Plain<int>, 2> parts{sim::Plain<int>{0}, sim::Plain<int>{0}};
  const auto give = [&](std::size_t i) {
    parts[i].write(1);
    semaphore->release();
  };
  together({{"waiter",
             [&] {
               require(semaphore->acquire(2) == WaitOutcome::ready, "it got the permits");
               require(parts[0].read() + parts[1].read() == 2, "it sees what came before them");
               semaphore.reset();
               reuse(&semaphore, sizeof(Semaphore));
             }},
            {"one releaser", [&] { give(0); }},
            {"other releaser", [&] { give(1); }}});
}
TG_IN_WEAK_MEMORY(SemaphoreExploration, a_waiter_that_takes_permits_of_two_releases_destroys_it)
TG_FINDS(SemaphoreExploration, a_waiter_that_takes_permits_of_two_releases_destroys_it_in_weak_memory,
         semaphore_adder_comes_late, 3000)
TG_FINDS(SemaphoreExploration, a_waiter_that_takes_permits_of_two_releases_destroys_it_in_weak_memory,
         semaphore_handing_on_is_not_ordered, 500)

// ---- Latch

TG_WEAK_EXPLORATION(LatchExploration, waiters_see_what_came_before) {
  Latch latch(2);
  std::array<sim::Plain<int>, 2> parts{sim::Plain<int>{0}, sim::Plain<int>{0}};
  const auto make = [&](std::size_t i) {
    parts[i].write(1);
    latch.count_down();
  };
  together({{"first", [&] { make(0); }},
            {"second", [&] { make(1); }},
            {"waiter", [&] {
               require(latch.wait() == WaitOutcome::ready, "the count is zero");
               require(parts[0].read() + parts[1].read() == 2, "both are there");
             }}});
}
TG_FINDS(LatchExploration, waiters_see_what_came_before, latch_waiter_does_not_look_again, 500)
TG_FINDS(LatchExploration, waiters_see_what_came_before, latch_publishes_nothing, 500)

TG_EXPLORATION(LatchExploration, a_waiter_destroys_it) {
  std::optional<Latch> latch(std::in_place, 1);
  together({{"waiter",
             [&] {
               require(latch->wait() == WaitOutcome::ready, "the count is zero");
               latch.reset();
               reuse(&latch, sizeof(Latch));
               latch.emplace(1);
               require(latch->wait(kShort) == WaitOutcome::timed_out, "another latch is where it was");
             }},
            {"counter", [&] { latch->count_down(); }}});
}
TG_IN_WEAK_MEMORY(LatchExploration, a_waiter_destroys_it)

// ---- Barrier

TG_EXPLORATION(BarrierExploration, three_flows_meet_twice) {
  Barrier barrier(3);
  Atomic<int> arrivals{0};
  const auto meet = [&] {
    for (int meeting = 1; meeting <= 2; ++meeting) {
      arrivals.fetch_add(1);
      require(barrier.arrive_and_wait() == WaitOutcome::ready, "they met");
      require(arrivals.load() >= 3 * meeting, "all have arrived");
    }
  };
  together({{"first", meet}, {"second", meet}, {"third", meet}});
}
TG_FINDS(BarrierExploration, three_flows_meet_twice, barrier_waiter_does_not_look_again, 500)

// Either all of them meet, or all of them find the barrier broken.
TG_EXPLORATION(BarrierExploration, a_stop_breaks_it_for_all) {
  Barrier barrier(3);
  Event event;
  std::array<WaitOutcome, 3> outcomes{};
  together({{"stopped",
             [&] {
               const CoveredBy covered(event);
               outcomes[0] = barrier.arrive_and_wait();
             }},
            {"first", [&] { outcomes[1] = barrier.arrive_and_wait(); }},
            {"second", [&] { outcomes[2] = barrier.arrive_and_wait(); }},
            {"setter", [&] { set(event); }}});
  const bool met = outcomes[0] == WaitOutcome::ready;
  require(met || outcomes[0] == WaitOutcome::event_set, "the first one met or was stopped");
  for (const std::size_t i : {1U, 2U})
    require(outcomes[i] == (met ? WaitOutcome::ready : WaitOutcome::closed), "all get the same outcome");
}
TG_FINDS(BarrierExploration, a_stop_breaks_it_for_all, barrier_breaks_in_silence, 500)

// The one that breaks the barrier does not wake the other one that is stopped, which wakes up by itself.
TG_EXPLORATION(BarrierExploration, a_stop_of_two_breaks_it_for_the_third) {
  Barrier barrier(3);
  Event event;
  std::array<WaitOutcome, 3> outcomes{};
  const auto stopped = [&](std::size_t i) {
    const CoveredBy covered(event);
    outcomes[i] = barrier.arrive_and_wait();
  };
  together({{"stopped", [&] { stopped(0); }},
            {"stopped, too", [&] { stopped(1); }},
            {"third", [&] { outcomes[2] = barrier.arrive_and_wait(); }},
            {"setter", [&] { set(event); }}});
  const bool met = outcomes[2] == WaitOutcome::ready;
  require(met || outcomes[2] == WaitOutcome::closed, "the third one met, or finds the barrier broken");
  for (const std::size_t i : {0U, 1U})
    require((outcomes[i] == WaitOutcome::ready) == met, "all of them meet, or none");
}
TG_IN_WEAK_MEMORY(BarrierExploration, a_stop_of_two_breaks_it_for_the_third)

}  // namespace
}  // namespace sync_exploration
}  // namespace tg::test
