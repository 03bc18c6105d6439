// SPDX-License-Identifier: Apache-2.0
// Empty tasks, through a mutex and a deque.
#include "../common/deque_pool.hpp"
#include "work.hpp"

namespace {
struct Work {
  explicit Work(const bench::SubmitSize& size) : pool(size.workers) {}
  void produce(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) pool.post([] {});
  }
  void drain() { pool.drain(); }
  bench::DequePool pool;
};
}  // namespace

void bench::run(const Options& options) {
  const SubmitSize size(options);
  time_submit(size, [&] { return Work(size); });
}
