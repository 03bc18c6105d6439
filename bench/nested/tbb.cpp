// SPDX-License-Identifier: Apache-2.0
// The same with oneTBB: each level makes a task group and waits for it, which runs the task on the waiting
// thread.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "../common/main.hpp"

namespace {
std::int64_t descend(std::int64_t depth) {
  if (depth == 0) return 1;
  std::int64_t below = 0;
  oneapi::tbb::task_group group;
  group.run([&below, depth] { below = descend(depth - 1); });
  group.wait();
  return 1 + below;
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 2'000);
  const std::int64_t depth = options.get("depth", 20);
  const auto bound = static_cast<std::size_t>(options.get("bound", 2));
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, bound);
  std::int64_t tasks = 0;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) {
    oneapi::tbb::task_group group;
    std::int64_t result = 0;
    group.run([&] { result = descend(depth); });
    group.wait();
    tasks += result;
  }
  report("ns_per_task", watch.nanoseconds() / static_cast<double>(tasks));
}
