// SPDX-License-Identifier: Apache-2.0
// The same with Boost.Fiber, on one thread. Each fiber runs at once: if all fibers of a level began first,
// there would be as many stacks as tasks.
#include <boost/fiber/all.hpp>

#include "../common/main.hpp"

namespace {
std::int64_t fib(std::int64_t n) {
  if (n < 2) return n;
  auto first = boost::fibers::async(boost::fibers::launch::dispatch, [n] { return fib(n - 1); });
  auto second = boost::fibers::async(boost::fibers::launch::dispatch, [n] { return fib(n - 2); });
  return first.get() + second.get();
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t n = options.get("fib", 20);
  const std::int64_t rounds = options.get("rounds", 20);
  fib(n);
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) fib(n);
  report("ms", watch.milliseconds() / static_cast<double>(rounds));
}
