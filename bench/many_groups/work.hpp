// SPDX-License-Identifier: Apache-2.0
// One empty task on each of many groups that live all the time, and then a join of each.
#pragma once

#include <algorithm>

#include "../common/main.hpp"

namespace bench {

struct ManyGroupsSize {
  explicit ManyGroupsSize(const Options& options)
      : groups(options.get("groups", 100)),
        rounds(std::max<std::int64_t>(1, options.get("tasks", 200'000) / groups)) {}
  std::int64_t groups;
  std::int64_t rounds;
};

/// `once()` adds a task to each group and joins each.
template <class Once>
void time_many_groups(const ManyGroupsSize& size, Once once) {
  once();  // the threads and the memory are there from here on
  const Stopwatch watch;
  for (std::int64_t i = 0; i < size.rounds; ++i) once();
  report("ns_per_task", watch.nanoseconds() / static_cast<double>(size.rounds * size.groups));
}

}  // namespace bench
