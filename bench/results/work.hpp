// SPDX-License-Identifier: Apache-2.0
// Functions that are registered once and executed together, with results in order: the cost of one round.
#pragma once

#include <algorithm>
#include <vector>

#include "../common/main.hpp"

namespace bench {

struct ResultsSize {
  explicit ResultsSize(const Options& options)
      : tasks(options.get("tasks", 1'000)),
        rounds(options.get("rounds", 20)),
        workers(options.get("workers", 2)) {}
  std::int64_t tasks;
  std::int64_t rounds;
  std::int64_t workers;
};

/// Calls `round()`, which returns the sum of all results, and reports the time of the median round.
template <class Round>
void time_results(const ResultsSize& size, Round round) {
  std::vector<double> microseconds;
  for (std::int64_t i = 0; i < size.rounds; ++i) {
    const Stopwatch watch;
    if (round() != size.tasks) std::abort();  // every function returns 1
    microseconds.push_back(watch.milliseconds() * 1e3);
  }
  const auto middle = microseconds.begin() + static_cast<std::ptrdiff_t>(microseconds.size() / 2);
  std::nth_element(microseconds.begin(), middle, microseconds.end());
  report("us", *middle);
}

}  // namespace bench
