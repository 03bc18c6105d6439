// SPDX-License-Identifier: Apache-2.0
// One empty task at a time is added and waited for at once, in a group that lives all the time.
#pragma once

#include "../common/main.hpp"

namespace bench {

/// `join()` adds a task and joins its group, `get()` adds one and takes its result, which is 1.
template <class Join, class Get>
void time_help(const Options& options, Join join, Get get) {
  const std::int64_t rounds = options.get("rounds", 100'000);
  std::int64_t sum = 0;
  const auto time = [&](const char* figure, auto once) {
    for (int i = 0; i < 100; ++i) once();
    const Stopwatch watch;
    for (std::int64_t i = 0; i < rounds; ++i) once();
    report(figure, watch.nanoseconds() / static_cast<double>(rounds));
  };
  time("join_ns", join);
  time("get_ns", [&] { sum += get(); });
  if (sum != rounds + 100) std::abort();
}

}  // namespace bench
