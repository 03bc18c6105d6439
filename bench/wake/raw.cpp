// SPDX-License-Identifier: Apache-2.0
// The lower bound: threads on one futex, woken by one system call.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
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
      while (word.load() == 0) ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
      awake.sign();
    });
  }
  there.wait();
  let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  word.store(1);
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  report("ms", awake.milliseconds_since(start));
}
