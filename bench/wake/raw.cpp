// SPDX-License-Identifier: Apache-2.0
// The lower bound: threads on one futex, woken by one system call, which then sleep on another one.
#include <latch>
#include <vector>

#include "work.hpp"

void bench::run(const Options& options) {
  const std::int64_t threads = options.get("threads", 1'000);
  std::atomic<std::uint32_t> word{0};
  Awake awake(threads);
  std::latch there(threads);
  std::vector<std::jthread> sleepers;
  for (std::int64_t i = 0; i < threads; ++i) {
    sleepers.emplace_back([&] {
      there.count_down();
      sleep_while_zero(word);
      awake.sign_and_stay();
    });
  }
  there.wait();
  let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  set_and_wake_all(word);
  report("ms", awake.milliseconds_since(start));
  awake.let_them_end();
}
