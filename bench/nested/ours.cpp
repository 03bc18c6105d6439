// SPDX-License-Identifier: Apache-2.0
// A task waits for a task that it added to its own group, which does the same, twenty deep, with a bound of
// two.
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"

namespace {
std::int64_t descend(tg::ThreadGroup& group, std::int64_t depth) {
  if (depth == 0) return 1;
  return 1 + group.add_task([&group, depth] { return descend(group, depth - 1); }).get();
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 2'000);
  const std::int64_t depth = options.get("depth", 20);
  tg::ThreadGroup group("nested", {.max_concurrent_threads = 2});
  std::int64_t tasks = 0;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i)
    tasks += group.add_task([&] { return descend(group, depth); }).get();
  report("ns_per_task", watch.nanoseconds() / static_cast<double>(tasks));
}
