// SPDX-License-Identifier: Apache-2.0
// A task of the pool of a mutex and a deque, and a wait for a counter or a future.
#include <atomic>
#include <future>
#include <memory>

#include "../common/deque_pool.hpp"
#include "work.hpp"

void bench::run(const Options& options) {
  std::atomic<int> pending{0};
  DequePool pool(2);
  time_help(
      options,
      [&] {
        pending = 1;
        pool.post([&pending] {
          pending = 0;
          pending.notify_all();
        });
        while (pending.load() != 0) pending.wait(1);
      },
      [&] {
        auto task = std::make_shared<std::packaged_task<int()>>([] { return 1; });
        pool.post([task] { (*task)(); });
        return task->get_future().get();
      });
}
