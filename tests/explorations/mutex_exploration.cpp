// SPDX-License-Identifier: Apache-2.0
// The locks.
#include <threadgroup/detail/mutex.hpp>

#include "runtime/polled_mutex.hpp"
#include "sim/plain.hpp"

#include "explorations/explore.hpp"

namespace tg::test {
namespace mutex_exploration {
namespace {

using detail::Atomic;
using detail::Mutex;
using detail::MutexLock;
using runtime::PolledLock;
using runtime::PolledMutex;
using sim::Plain;

template <class Lockable, class Lock>
void three_are_inside_one_at_a_time() {
  look_into_locks();
  Lockable mutex;
  Atomic<int> inside{0};
  int entered = 0;
  const auto enter_twice = [&] {
    for (int i = 0; i < 2; ++i) {
      const Lock lock(mutex);
      require(inside.fetch_add(1) == 0, "one flow holds the lock");
      ++entered;
      inside.fetch_sub(1);
    }
  };
  together({{"first", enter_twice}, {"second", enter_twice}, {"third", enter_twice}});
  require(entered == 6, "each flow entered");
}

TG_EXPLORATION(MutexExploration, three_flows_are_inside_one_at_a_time) {
  three_are_inside_one_at_a_time<Mutex, MutexLock>();
}
TG_FINDS(MutexExploration, three_flows_are_inside_one_at_a_time, mutex_waiter_forgets_others, 2000)
TG_SEARCH_FINDS(MutexExploration, three_flows_are_inside_one_at_a_time, mutex_waiter_forgets_others, 100)
TG_FINDS(MutexExploration, three_flows_are_inside_one_at_a_time, mutex_unlock_wakes_no_one, 200)
TG_SEARCH_FINDS(MutexExploration, three_flows_are_inside_one_at_a_time, mutex_unlock_wakes_no_one, 10)

// The next holder may destroy the lock that another flow has just released.
TG_EXPLORATION(MutexExploration, the_last_holder_destroys_it) {
  look_into_locks();
  struct Shared {
    Mutex mutex;
    int owners = 2;
  };
  auto* const shared = new Shared;
  const auto leave = [shared] {
    bool last = false;
    {
      const MutexLock lock(shared->mutex);
      last = --shared->owners == 0;
    }
    if (last) delete shared;
  };
  together({{"first", leave}, {"second", leave}});
}

TG_WEAK_EXPLORATION(MutexExploration, plain_data_needs_the_lock) {
  Mutex mutex;
  Plain<int> entered{0};
  if (TG_PLANTED(mutex_unlock_publishes_nothing))
    weaken(mutex, std::memory_order_release, std::memory_order_relaxed);
  if (TG_PLANTED(mutex_lock_sees_nothing))
    weaken(mutex, std::memory_order_acquire, std::memory_order_relaxed);
  const auto enter = [&] {
    const MutexLock lock(mutex);
    entered.write(entered.read() + 1);
  };
  together({{"first", enter}, {"second", enter}, {"tries", [&] {
                                                    if (!mutex.try_lock()) return;
                                                    entered.write(entered.read() + 1);
                                                    mutex.unlock();
                                                  }}});
  require(entered.read() >= 2, "the first two have entered");
}
TG_FINDS(MutexExploration, plain_data_needs_the_lock, mutex_unlock_publishes_nothing, 10)
TG_FINDS(MutexExploration, plain_data_needs_the_lock, mutex_lock_sees_nothing, 10)
TG_FINDS(MutexExploration, plain_data_needs_the_lock, mutex_waiter_sees_nothing, 50)

// A waiter sleeps until it looks again, whatever the others do meanwhile.
TG_EXPLORATION(PolledMutexExploration, three_flows_are_inside_one_at_a_time) {
  three_are_inside_one_at_a_time<PolledMutex, PolledLock>();
}
TG_FINDS(PolledMutexExploration, three_flows_are_inside_one_at_a_time, polled_mutex_trusts_its_sleep, 500)
TG_SEARCH_FINDS(PolledMutexExploration, three_flows_are_inside_one_at_a_time, polled_mutex_trusts_its_sleep,
                20)

TG_WEAK_EXPLORATION(PolledMutexExploration, plain_data_needs_the_lock) {
  PolledMutex mutex;
  Plain<int> entered{0};
  const auto enter = [&] {
    const PolledLock lock(mutex);
    entered.write(entered.read() + 1);
  };
  together({{"first", enter}, {"second", enter}, {"third", enter}});
  require(entered.read() == 3, "each flow entered");
}
TG_FINDS(PolledMutexExploration, plain_data_needs_the_lock, polled_mutex_publishes_nothing, 50)
TG_FINDS(PolledMutexExploration, plain_data_needs_the_lock, polled_mutex_sees_nothing, 50)

}  // namespace
}  // namespace mutex_exploration
}  // namespace tg::test
