// SPDX-License-Identifier: Apache-2.0
// A group is made, runs one task, is joined and destroyed, with threads at hand.
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 20'000);
  const auto once = [] {
    tg::ThreadGroup group("group_task");
    group.post([] {});
    static_cast<void>(group.join());
  };
  once();
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) once();
  report("us", watch.nanoseconds() / 1e3 / static_cast<double>(rounds));
}
