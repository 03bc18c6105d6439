// SPDX-License-Identifier: Apache-2.0
// Empty tasks, posted to a group.
#include <threadgroup/threadgroup.hpp>

#include "work.hpp"

void bench::run(const Options& options) {
  const SubmitSize size(options);
  tg::ThreadGroup group("submit", {.max_concurrent_threads = static_cast<std::size_t>(size.workers)});
  time_submit(
      size,
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) group.post([] {});
      },
      [&] { static_cast<void>(group.join()); });
}
