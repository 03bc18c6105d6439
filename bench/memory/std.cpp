// SPDX-License-Identifier: Apache-2.0
// The same of std::thread: a thread that only sleeps in the kernel.
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

#include "../common/main.hpp"
#include "resident.hpp"

void bench::run(const Options& options) {
  const std::int64_t threads = options.get("threads", 1'000);
  std::latch there(threads);
  std::latch go(1);
  std::vector<std::jthread> sleepers;
  const std::int64_t before = resident_bytes();
  for (std::int64_t i = 0; i < threads; ++i) {
    sleepers.emplace_back([&] {
      there.count_down();
      go.wait();
    });
  }
  there.wait();
  report("bytes_per_sleeping_thread",
         static_cast<double>(resident_bytes() - before) / static_cast<double>(threads));
  go.count_down();
}
