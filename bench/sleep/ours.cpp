// SPDX-License-Identifier: Apache-2.0
// Many tasks that sleep 1 ms each, a hundred at a time. The ideal is tasks / bound ms. The threads exist
// when the clock starts, as those of the pools do.
#include <latch>
#include <threadgroup/threadgroup.hpp>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t bound = options.get("bound", 100);
  tg::ThreadGroup group("sleep", {.max_concurrent_threads = static_cast<std::size_t>(bound)});
  std::latch all_there(bound);
  for (std::int64_t i = 0; i < bound; ++i) group.post([&] { all_there.arrive_and_wait(); });
  static_cast<void>(group.join());
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) group.post([] { tg::thread_utils::event_aware_sleep(1ms); });
  static_cast<void>(group.join());
  report("ms", watch.milliseconds());
  report("times_ideal", watch.milliseconds() / (static_cast<double>(tasks) / static_cast<double>(bound)));
}
