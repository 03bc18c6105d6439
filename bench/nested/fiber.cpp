// SPDX-License-Identifier: Apache-2.0
// The same with Boost.Fiber: fibers of one thread, each of which waits for the next one's future.
#include <boost/fiber/all.hpp>

#include "../common/main.hpp"

namespace {
std::int64_t descend(std::int64_t depth) {
  if (depth == 0) return 1;
  return 1 + boost::fibers::async([depth] { return descend(depth - 1); }).get();
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 2'000);
  const std::int64_t depth = options.get("depth", 20);
  std::int64_t tasks = 0;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i)
    tasks += boost::fibers::async([&] { return descend(depth); }).get();
  report("ns_per_task", watch.nanoseconds() / static_cast<double>(tasks));
}
