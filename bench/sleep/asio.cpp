// SPDX-License-Identifier: Apache-2.0
// The same on a Boost.Asio thread pool.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <latch>
#include <thread>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t bound = options.get("bound", 100);
  std::latch all_done(tasks);  // not the end of the threads
  boost::asio::thread_pool pool(static_cast<std::size_t>(bound));
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) {
    boost::asio::post(pool, [&] {
      std::this_thread::sleep_for(1ms);
      all_done.count_down();
    });
  }
  all_done.wait();
  const double milliseconds = watch.milliseconds();
  report("ms", milliseconds);
  report("times_ideal", milliseconds / (static_cast<double>(tasks) / static_cast<double>(bound)));
}
