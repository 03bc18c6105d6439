// SPDX-License-Identifier: Apache-2.0
// Packaged tasks in a Boost.Asio thread pool, and their futures.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>

#include "../submit/work.hpp"

void bench::run(const Options& options) {
  const SubmitSize size(options);
  boost::asio::thread_pool pool(static_cast<std::size_t>(size.workers));
  std::vector<std::future<int>> futures;
  futures.reserve(static_cast<std::size_t>(size.tasks));
  std::int64_t sum = 0;
  time_submit(
      size,
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
          std::packaged_task<int()> task([] { return 1; });
          futures.push_back(task.get_future());
          boost::asio::post(pool, std::move(task));
        }
      },
      [&] {
        for (auto& future : futures) sum += future.get();
      });
  if (sum != size.tasks) std::abort();
}
