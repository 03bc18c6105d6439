// SPDX-License-Identifier: Apache-2.0
// A thread is made and joined.
#include <thread>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 20'000);
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) std::thread([] {}).join();
  report("us", watch.nanoseconds() / 1e3 / static_cast<double>(rounds));
}
