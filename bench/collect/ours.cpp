// SPDX-License-Identifier: Apache-2.0
// Tasks with a result, all of which are collected.
#include <threadgroup/threadgroup.hpp>

#include "../submit/work.hpp"

namespace {
struct Work {
  explicit Work(const bench::SubmitSize& size)
      : group("collect", {.max_concurrent_threads = static_cast<std::size_t>(size.workers)}),
        handles(static_cast<std::size_t>(size.tasks)) {}
  void produce(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      handles[static_cast<std::size_t>(i)] = group.add_task([] { return 1; });
  }
  void drain() {
    std::int64_t sum = 0;
    for (const auto& handle : handles) sum += handle.get();
    if (sum != static_cast<std::int64_t>(handles.size())) std::abort();
  }
  tg::ThreadGroup group;
  std::vector<tg::TaskHandle<int>> handles;
};
}  // namespace

void bench::run(const Options& options) {
  const SubmitSize size(options);
  time_submit(size, [&] { return Work(size); });
}
