// SPDX-License-Identifier: Apache-2.0
// Empty tasks for a pool of a hundred threads that are all idle: what waking costs.
#include <threadgroup/threadgroup.hpp>

#include <latch>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t threads = options.get("threads", 100);
  tg::ThreadGroup group("idle_pool", {.max_concurrent_threads = static_cast<std::size_t>(threads)});
  std::latch all(threads);
  for (std::int64_t i = 0; i < threads; ++i) group.post([&all] { all.arrive_and_wait(); });
  static_cast<void>(group.join());
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) group.post([] {});
  static_cast<void>(group.join());
  report("ms", watch.milliseconds());
}
