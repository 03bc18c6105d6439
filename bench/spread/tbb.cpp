// SPDX-License-Identifier: Apache-2.0
// A task adds ten tasks, many times, in a oneTBB task group.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t parents = options.get("parents", 100'000);
  const std::int64_t children = 10;
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  oneapi::tbb::task_group group;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < parents; ++i) {
    group.run([&group] {
      for (std::int64_t k = 0; k < children; ++k) group.run([] {});
    });
  }
  group.wait();
  report("ns_per_task", watch.nanoseconds() / static_cast<double>(parents * (children + 1)));
}
