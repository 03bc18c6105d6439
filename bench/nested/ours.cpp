// SPDX-License-Identifier: Apache-2.0
// A task waits for a task that it added to its own group, which does the same, twenty deep, with a bound of
// one or two. All from inside one task: oneTBB's calling thread is one of its workers as well.
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
  const auto bound = static_cast<std::size_t>(options.get("bound", 2));
  tg::ThreadGroup group("nested", {.max_concurrent_threads = bound});
  const auto all_rounds = [&] {
    std::int64_t tasks = 0;
    const Stopwatch watch;
    for (std::int64_t i = 0; i < rounds; ++i) tasks += descend(group, depth);
    return watch.nanoseconds() / static_cast<double>(tasks);
  };
  report("ns_per_task", group.add_task(all_rounds).get());
}
