// SPDX-License-Identifier: Apache-2.0
// The same with a Boost.Asio thread pool.
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <thread>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  const std::int64_t tasks = options.get("tasks", 10'000);
  boost::asio::thread_pool pool(static_cast<std::size_t>(options.get("threads", 100)));
  std::atomic<std::int64_t> left{tasks};
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) {
    boost::asio::post(pool, [&left] {
      if (left.fetch_sub(1) == 1) left.notify_one();
    });
  }
  while (const std::int64_t now = left.load()) left.wait(now);
  report("ms", watch.milliseconds());
}
