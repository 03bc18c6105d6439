// SPDX-License-Identifier: Apache-2.0
// Packaged tasks in a Boost.Asio thread pool, and their futures.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>

#include "../submit/work.hpp"

namespace {
struct Work {
  explicit Work(const bench::SubmitSize& size)
      : pool(static_cast<std::size_t>(size.workers)), futures(static_cast<std::size_t>(size.tasks)) {}
  void produce(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      std::packaged_task<int()> task([] { return 1; });
      futures[static_cast<std::size_t>(i)] = task.get_future();
      boost::asio::post(pool, std::move(task));
    }
  }
  void drain() {
    std::int64_t sum = 0;
    for (auto& future : futures) sum += future.get();
    if (sum != static_cast<std::int64_t>(futures.size())) std::abort();
  }
  boost::asio::thread_pool pool;
  std::vector<std::future<int>> futures;
};
}  // namespace

void bench::run(const Options& options) {
  const SubmitSize size(options);
  time_submit(size, [&] { return Work(size); });
}
