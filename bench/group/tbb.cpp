// SPDX-License-Identifier: Apache-2.0
// A oneTBB context is made and bound below another, with the one task that binding needs.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 200'000);
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  oneapi::tbb::task_group outer;
  double nanoseconds = 0;
  outer.run_and_wait([&] {
    const Stopwatch watch;
    for (std::int64_t i = 0; i < rounds; ++i) {
      oneapi::tbb::task_group group;
      group.run_and_wait([] {});
    }
    nanoseconds = watch.nanoseconds();
  });
  report("ns", nanoseconds / static_cast<double>(rounds));
}
