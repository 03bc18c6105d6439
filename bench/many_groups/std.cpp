// SPDX-License-Identifier: Apache-2.0
// Many counters of tasks that run on one pool of a mutex and a deque, with two workers.
#include <atomic>
#include <deque>

#include "../common/deque_pool.hpp"
#include "work.hpp"

void bench::run(const Options& options) {
  const ManyGroupsSize size(options);
  std::deque<std::atomic<int>> groups(static_cast<std::size_t>(size.groups));
  DequePool pool(2);
  time_many_groups(size, [&] {
    for (std::atomic<int>& pending : groups) {
      ++pending;
      pool.post([&pending] {
        if (--pending == 0) pending.notify_all();
      });
    }
    for (std::atomic<int>& pending : groups) {
      while (const int left = pending.load()) pending.wait(left);
    }
  });
}
