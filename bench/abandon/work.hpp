// SPDX-License-Identifier: Apache-2.0
// A short call that the caller waits for, one after the other.
#pragma once

#include <cstdlib>

#include "../common/main.hpp"

namespace bench {

[[gnu::noinline]] inline int add_one(int n) {
  asm volatile("" ::: "memory");  // it stays a call
  return n + 1;
}

template <class Call>
double ns_per_call(std::int64_t calls, Call call) {
  int n = 0;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < calls; ++i) n = call(n);
  if (n != calls) std::abort();
  return watch.nanoseconds() / static_cast<double>(calls);
}

}  // namespace bench
