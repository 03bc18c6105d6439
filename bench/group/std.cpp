// SPDX-License-Identifier: Apache-2.0
// A stop source, and a callback that links it below another: a tree built from the standard library.
#include <stop_token>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 200'000);
  std::stop_source parent;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) {
    std::stop_source child;
    std::stop_callback link(parent.get_token(), [&child] { child.request_stop(); });
  }
  report("ns", watch.nanoseconds() / static_cast<double>(rounds));
}
