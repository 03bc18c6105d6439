// SPDX-License-Identifier: Apache-2.0
// The same with a std::thread for each task.
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "../common/futex.hpp"
#include "few_threads.hpp"

void bench::run(const Options& options) {
  const std::int64_t tasks = options.get("tasks", 20'000);
  const KeptErrors errors;
  limit_threads(options.get("limit", tasks / 10));
  bool told = false;
  std::atomic<std::int64_t> begun{0};
  std::atomic<std::uint32_t> go{0};
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(tasks));
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) {
    try {
      threads.emplace_back([&] {
        ++begun;
        sleep_while_zero(go);
      });
    } catch (const std::system_error&) {
      told = true;
    }
  }
  report("us_per_post", watch.nanoseconds() / 1e3 / static_cast<double>(tasks));
  report("at_once", static_cast<double>(threads.size()));
  report("silent", told || errors.any() ? 0 : 1);
  set_and_wake_all(go);
  for (std::thread& thread : threads) thread.join();
  report("never_run", static_cast<double>(tasks - begun));
}
