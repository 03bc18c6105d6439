// SPDX-License-Identifier: Apache-2.0
// Many ThreadGroups, each with a bound of two.
#include <threadgroup/threadgroup.hpp>

#include <deque>

#include "work.hpp"

void bench::run(const Options& options) {
  const ManyGroupsSize size(options);
  std::deque<tg::ThreadGroup> groups;
  for (std::int64_t i = 0; i < size.groups; ++i)
    groups.emplace_back("g", tg::GroupOptions{.max_concurrent_threads = 2});
  time_many_groups(size, [&] {
    for (tg::ThreadGroup& group : groups) group.post([] {});
    for (tg::ThreadGroup& group : groups) static_cast<void>(group.join());
  });
}
