// SPDX-License-Identifier: Apache-2.0
// Empty tasks, enqueued into a oneTBB arena.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>

#include "work.hpp"

namespace {
struct Work {
  explicit Work(const bench::SubmitSize& size) : arena(static_cast<int>(size.workers), 0), all(size.tasks) {}
  void produce(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      arena.enqueue([this] { done.fetch_add(1, std::memory_order_relaxed); });
  }
  void drain() {
    while (done.load(std::memory_order_relaxed) < all) std::this_thread::yield();
  }
  oneapi::tbb::task_arena arena;
  const std::int64_t all;
  std::atomic<std::int64_t> done{0};
};
}  // namespace

void bench::run(const Options& options) {
  const SubmitSize size(options);
  // One more than the workers, because the thread that waits takes a slot.
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(size.workers + 1));
  time_submit(size, [&] { return Work(size); });
}
