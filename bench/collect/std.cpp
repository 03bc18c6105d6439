// SPDX-License-Identifier: Apache-2.0
// Packaged tasks through a mutex and a deque, and their futures.
#include <future>
#include <memory>

#include "../common/deque_pool.hpp"
#include "../submit/work.hpp"

void bench::run(const Options& options) {
  const SubmitSize size(options);
  DequePool pool(size.workers);
  std::vector<std::future<int>> futures;
  futures.reserve(static_cast<std::size_t>(size.tasks));
  std::int64_t sum = 0;
  time_submit(
      size,
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
          auto task = std::make_shared<std::packaged_task<int()>>([] { return 1; });
          futures.push_back(task->get_future());
          pool.post([task] { (*task)(); });
        }
      },
      [&] {
        for (auto& future : futures) sum += future.get();
      });
  if (sum != size.tasks) std::abort();
}
