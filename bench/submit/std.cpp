// SPDX-License-Identifier: Apache-2.0
// Empty tasks, through a mutex and a deque.
#include "../common/deque_pool.hpp"
#include "work.hpp"

void bench::run(const Options& options) {
  const SubmitSize size(options);
  DequePool pool(size.workers);
  time_submit(
      size,
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) pool.post([] {});
      },
      [&] { pool.drain(); });
}
