// SPDX-License-Identifier: Apache-2.0
// The same on a Boost.Asio thread pool.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <thread>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t bound = options.get("bound", 100);
  boost::asio::thread_pool pool(static_cast<std::size_t>(bound));
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) boost::asio::post(pool, [] { std::this_thread::sleep_for(1ms); });
  pool.join();
  report("ms", watch.milliseconds());
  report("times_ideal", watch.milliseconds() / (static_cast<double>(tasks) / static_cast<double>(bound)));
}
