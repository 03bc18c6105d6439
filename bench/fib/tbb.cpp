// SPDX-License-Identifier: Apache-2.0
// The same with oneTBB: each level makes a task group, runs two tasks in it and waits for both.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include "../common/main.hpp"

namespace {
std::int64_t fib(std::int64_t n) {
  if (n < 2) return n;
  std::int64_t first = 0;
  std::int64_t second = 0;
  oneapi::tbb::task_group group;
  group.run([&first, n] { first = fib(n - 1); });
  group.run([&second, n] { second = fib(n - 2); });
  group.wait();
  return first + second;
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t n = options.get("fib", 20);
  const std::int64_t rounds = options.get("rounds", 20);
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  fib(n);
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) fib(n);
  report("ms", watch.milliseconds() / static_cast<double>(rounds));
}
