// SPDX-License-Identifier: Apache-2.0
// A task adds ten tasks, many times: the cost of tasks that tasks add.
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t parents = options.get("parents", 100'000);
  const std::int64_t children = 10;
  tg::ThreadGroup group("spread", {.max_concurrent_threads = 2});
  const Stopwatch watch;
  for (std::int64_t i = 0; i < parents; ++i) {
    group.post([&group] {
      for (std::int64_t k = 0; k < children; ++k) group.post([] {});
    });
  }
  static_cast<void>(group.join());
  report("ns_per_task", watch.nanoseconds() / static_cast<double>(parents * (children + 1)));
}
