// SPDX-License-Identifier: Apache-2.0
// The same functions as packaged tasks in a Boost.Asio thread pool, and their futures.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <future>

#include "work.hpp"

void bench::run(const Options& options) {
  const ResultsSize size(options);
  const std::vector<std::function<int()>> functions(static_cast<std::size_t>(size.tasks), [] { return 1; });
  boost::asio::thread_pool pool(static_cast<std::size_t>(size.workers));
  time_results(size, [&] {
    std::vector<std::future<int>> futures;
    futures.reserve(functions.size());
    for (const auto& function : functions) {
      std::packaged_task<int()> task(function);
      futures.push_back(task.get_future());
      boost::asio::post(pool, std::move(task));
    }
    std::int64_t sum = 0;
    for (auto& future : futures) sum += future.get();
    return sum;
  });
}
