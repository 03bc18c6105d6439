// SPDX-License-Identifier: Apache-2.0
// Tasks that all block, so that each needs a thread, and none is there before: the time until all have begun.
#include <threadgroup/threadgroup.hpp>

#include <latch>

#include "../common/busy_neighbour.hpp"
#include "../common/main.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t threads = options.get("threads", 1'000);
  const BusyNeighbour neighbour(options.get("busy", 0) != 0);
  tg::ThreadGroup group("blocked", {.max_concurrent_threads = static_cast<std::size_t>(threads)});
  std::latch there(threads);
  const Stopwatch watch;
  for (std::int64_t i = 0; i < threads; ++i) {
    group.post([&there] {
      there.count_down();
      tg::thread_utils::event_aware_sleep(600s);
    });
  }
  there.wait();
  report("ms", watch.milliseconds());
}
