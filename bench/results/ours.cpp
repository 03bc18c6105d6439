// SPDX-License-Identifier: Apache-2.0
// Registered functions that do nothing, executed again and again, and their results in order.
#include <threadgroup/threadgroup.hpp>

#include "work.hpp"

void bench::run(const Options& options) {
  const ResultsSize size(options);
  tg::ThreadGroup group("results", {.max_concurrent_threads = static_cast<std::size_t>(size.workers)});
  for (std::int64_t i = 0; i < size.tasks; ++i) group.register_function("f", [] { return 1; });
  time_results(size, [&] {
    std::int64_t sum = 0;
    for (const auto& result : group.execute()) sum += result.as<int>();
    return sum;
  });
}
