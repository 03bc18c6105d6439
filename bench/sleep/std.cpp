// SPDX-License-Identifier: Apache-2.0
// The same on the pool of mutex and deque, with a plain sleep that nothing can wake.
#include "../common/deque_pool.hpp"
#include "../common/main.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t bound = options.get("bound", 100);
  DequePool pool(bound);
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) pool.post([] { std::this_thread::sleep_for(1ms); });
  pool.drain();
  report("ms", watch.milliseconds());
  report("times_ideal", watch.milliseconds() / (static_cast<double>(tasks) / static_cast<double>(bound)));
}
