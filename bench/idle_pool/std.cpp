// SPDX-License-Identifier: Apache-2.0
// The same with the pool that notifies for every task.
#include <atomic>

#include "../common/deque_pool.hpp"
#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t tasks = options.get("tasks", 10'000);
  DequePool pool(options.get("threads", 100));
  std::atomic<std::int64_t> left{tasks};
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) {
    pool.post([&left] {
      if (left.fetch_sub(1) == 1) left.notify_one();
    });
  }
  while (const std::int64_t now = left.load()) left.wait(now);
  report("ms", watch.milliseconds());
}
