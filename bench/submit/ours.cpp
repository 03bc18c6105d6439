// SPDX-License-Identifier: Apache-2.0
// Empty tasks, posted to a group.
#include <threadgroup/threadgroup.hpp>

#include "work.hpp"

namespace {
struct Work {
  explicit Work(const bench::SubmitSize& size)
      : group("submit", {.max_concurrent_threads = static_cast<std::size_t>(size.workers)}) {}
  void produce(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) group.post([] {});
  }
  void drain() { static_cast<void>(group.join()); }
  tg::ThreadGroup group;
};
}  // namespace

void bench::run(const Options& options) {
  const SubmitSize size(options);
  time_submit(size, [&] { return Work(size); });
}
