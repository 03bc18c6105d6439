// SPDX-License-Identifier: Apache-2.0
// Packaged tasks through a mutex and a deque, and their futures.
#include <future>
#include <memory>

#include "../common/deque_pool.hpp"
#include "../submit/work.hpp"

namespace {
struct Work {
  explicit Work(const bench::SubmitSize& size)
      : pool(size.workers), futures(static_cast<std::size_t>(size.tasks)) {}
  void produce(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      auto task = std::make_shared<std::packaged_task<int()>>([] { return 1; });
      futures[static_cast<std::size_t>(i)] = task->get_future();
      pool.post([task] { (*task)(); });
    }
  }
  void drain() {
    std::int64_t sum = 0;
    for (auto& future : futures) sum += future.get();
    if (sum != static_cast<std::int64_t>(futures.size())) std::abort();
  }
  bench::DequePool pool;
  std::vector<std::future<int>> futures;
};
}  // namespace

void bench::run(const Options& options) {
  const SubmitSize size(options);
  time_submit(size, [&] { return Work(size); });
}
