// SPDX-License-Identifier: Apache-2.0
// A oneTBB task group is made, runs one task, is waited for and destroyed.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 20'000);
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  const auto once = [] {
    oneapi::tbb::task_group group;
    group.run([] {});
    group.wait();
  };
  once();
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) once();
  report("us", watch.nanoseconds() / 1e3 / static_cast<double>(rounds));
}
