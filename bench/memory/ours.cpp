// SPDX-License-Identifier: Apache-2.0
// Bytes of a queued task beyond its callable, and of a sleeping thread beyond its kernel memory.
#include <latch>
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"
#include "resident.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t tasks = options.get("tasks", 1'000'000);
  const std::int64_t threads = options.get("threads", 1'000);
  struct Callable {
    std::int64_t a, b;
    std::int64_t operator()() const { return a + b; }
  };
  tg::ThreadGroup group("memory", {.max_concurrent_threads = 1});
  std::latch go(1);
  group.post([&go] { go.wait(); });
  const double n = static_cast<double>(tasks);
  {
    const std::int64_t before = resident_bytes();
    for (std::int64_t i = 0; i < tasks; ++i) group.post(Callable{i, i});
    report("bytes_per_post", static_cast<double>(resident_bytes() - before) / n - sizeof(Callable));
  }
  {
    const std::int64_t before = resident_bytes();
    for (std::int64_t i = 0; i < tasks; ++i) group.add_task(Callable{i, i});
    report("bytes_per_add_task",
           static_cast<double>(resident_bytes() - before) / n - sizeof(Callable) - sizeof(std::int64_t));
  }
  go.count_down();
  static_cast<void>(group.join());

  tg::ThreadGroup sleepers("sleepers", {.max_concurrent_threads = static_cast<std::size_t>(threads)});
  std::latch there(threads);
  const std::int64_t before = resident_bytes();
  for (std::int64_t i = 0; i < threads; ++i) {
    sleepers.post([&there] {
      there.count_down();
      tg::thread_utils::event_aware_sleep(600s);
    });
  }
  there.wait();
  report("bytes_per_sleeping_thread",
         static_cast<double>(resident_bytes() - before) / static_cast<double>(threads));
}
