// SPDX-License-Identifier: Apache-2.0
// Fibonacci numbers in the worst way: each task adds two tasks to its own group and waits for both, with a
// bound of two; or each makes a group of its own for them (`--by-level 1`). It measures only the cost of
// tasks that wait for tasks.
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"

namespace {
std::int64_t fib(tg::ThreadGroup& group, std::int64_t n) {
  if (n < 2) return n;
  const auto first = group.add_task([&group, n] { return fib(group, n - 1); });
  const auto second = group.add_task([&group, n] { return fib(group, n - 2); });
  return first.get() + second.get();
}

std::int64_t fib_by_level(std::int64_t n) {
  if (n < 2) return n;
  tg::ThreadGroup group("level", {.max_concurrent_threads = 2});
  const auto first = group.add_task([n] { return fib_by_level(n - 1); });
  const auto second = group.add_task([n] { return fib_by_level(n - 2); });
  return first.get() + second.get();
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t n = options.get("fib", 20);
  const std::int64_t rounds = options.get("rounds", 20);
  const bool by_level = options.get("by-level", 0) != 0;
  tg::ThreadGroup group("fib", {.max_concurrent_threads = 2});
  const auto one_round = [&] {
    return group.add_task([&] { return by_level ? fib_by_level(n) : fib(group, n); }).get();
  };
  one_round();  // the threads are there from here on
  const Stopwatch watch;
  for (std::int64_t i = 0; i < rounds; ++i) one_round();
  report("ms", watch.milliseconds() / static_cast<double>(rounds));
}
