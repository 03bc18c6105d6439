// SPDX-License-Identifier: Apache-2.0
// Many oneTBB task groups in one arena of two.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include <deque>

#include "work.hpp"

void bench::run(const Options& options) {
  const ManyGroupsSize size(options);
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  std::deque<oneapi::tbb::task_group> groups(static_cast<std::size_t>(size.groups));
  time_many_groups(size, [&] {
    for (oneapi::tbb::task_group& group : groups) group.run([] {});
    for (oneapi::tbb::task_group& group : groups) group.wait();
  });
}
