// SPDX-License-Identifier: Apache-2.0
// Tasks with a result, all of which are collected.
#include <threadgroup/threadgroup.hpp>

#include "../submit/work.hpp"

void bench::run(const Options& options) {
  const SubmitSize size(options);
  tg::ThreadGroup group("collect", {.max_concurrent_threads = static_cast<std::size_t>(size.workers)});
  std::vector<tg::TaskHandle<int>> handles;
  handles.reserve(static_cast<std::size_t>(size.tasks));
  std::int64_t sum = 0;
  time_submit(
      size,
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) handles.push_back(group.add_task([] { return 1; }));
      },
      [&] {
        for (const auto& handle : handles) sum += handle.get();
      });
  if (sum != size.tasks) std::abort();
}
