// SPDX-License-Identifier: Apache-2.0
// Threads on one condition_variable_any with a stop token.
#include <condition_variable>
#include <latch>
#include <mutex>
#include <stop_token>
#include <vector>

#include "work.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t threads = options.get("threads", 1'000);
  std::mutex mutex;
  std::condition_variable_any changed;
  std::stop_source stop;
  Awake awake(threads);
  std::latch there(threads);
  std::vector<std::jthread> sleepers;
  for (std::int64_t i = 0; i < threads; ++i) {
    sleepers.emplace_back([&] {
      there.count_down();
      std::unique_lock lock(mutex);
      changed.wait_for(lock, stop.get_token(), 600s, [] { return false; });
      lock.unlock();
      awake.sign_and_stay();
    });
  }
  there.wait();
  let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  stop.request_stop();
  report("ms", awake.milliseconds_since(start));
  awake.let_them_end();
}
