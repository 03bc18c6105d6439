// SPDX-License-Identifier: Apache-2.0
// A thread on a condition variable.
#include <condition_variable>
#include <mutex>
#include <utility>

#include "work.hpp"

void bench::run(const Options& options) {
  std::mutex mutex;
  std::condition_variable changed;
  Round* current = nullptr;
  bool stopped = false;
  bool over = false;
  std::jthread sleeper([&] {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return over || current != nullptr; });
      if (over) return;
      Round& round = *std::exchange(current, nullptr);
      round.sign_in();
      changed.wait(lock, [&] { return stopped; });
      stopped = false;
      lock.unlock();
      round.sign_awake();
      lock.lock();
    }
  });
  const auto change = [&](auto to) {
    {
      const std::lock_guard lock(mutex);
      to();
    }
    changed.notify_one();
  };
  time_wakeups(
      options, [&](Round& round) { change([&] { current = &round; }); },
      [&] { change([&] { stopped = true; }); }, [] {});
  change([&] { over = true; });
}
