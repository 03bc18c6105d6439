// SPDX-License-Identifier: Apache-2.0
// A group is made and destroyed, with no task.
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 200'000);
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) tg::ThreadGroup group("group");
  report("ns", watch.nanoseconds() / static_cast<double>(rounds));
}
