// SPDX-License-Identifier: Apache-2.0
// Threads of Boost.Thread in a sleep, interrupted one by one, which is how Boost does it.
#include <boost/thread.hpp>
#include <latch>
#include <memory>
#include <vector>

#include "work.hpp"

void bench::run(const Options& options) {
  const std::int64_t threads = options.get("threads", 1'000);
  Awake awake(threads);
  std::latch there(threads);
  std::vector<std::unique_ptr<boost::thread>> sleepers;
  for (std::int64_t i = 0; i < threads; ++i) {
    sleepers.push_back(std::make_unique<boost::thread>([&] {
      there.count_down();
      try {
        boost::this_thread::sleep_for(boost::chrono::seconds(600));
      } catch (const boost::thread_interrupted&) {
        awake.sign_and_stay();
      }
    }));
  }
  there.wait();
  let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  for (auto& sleeper : sleepers) sleeper->interrupt();
  report("ms", awake.milliseconds_since(start));
  awake.let_them_end();
  for (auto& sleeper : sleepers) sleeper->join();
}
