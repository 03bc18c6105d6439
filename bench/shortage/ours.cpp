// SPDX-License-Identifier: Apache-2.0
// Many tasks that block, of which each wants a thread, in a process that gets only some: how many never run,
// and whether the program learns of it, by an exception, on stderr or in the group's statistics.
#include <threadgroup/threadgroup.hpp>

#include <atomic>
#include <system_error>
#include <thread>

#include "../common/futex.hpp"
#include "few_threads.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t tasks = options.get("tasks", 20'000);
  const KeptErrors errors;
  limit_threads(options.get("limit", tasks / 10));
  bool told = false;
  std::atomic<std::int64_t> begun{0};
  std::atomic<std::uint32_t> go{0};
  tg::ThreadGroup group("shortage", {.max_concurrent_threads = static_cast<std::size_t>(tasks)});
  const Stopwatch watch;
  for (std::int64_t i = 0; i < tasks; ++i) {
    try {
      group.post([&] {
        ++begun;
        sleep_while_zero(go);
      });
    } catch (const std::system_error&) {
      told = true;
    }
  }
  const double posted = watch.nanoseconds();
  for (std::int64_t seen = -1; seen != begun; std::this_thread::sleep_for(100ms)) seen = begun;
  told = told || errors.any() || group.statistics().thread_error != 0;
  report("us_per_post", posted / 1e3 / static_cast<double>(tasks));
  report("at_once", static_cast<double>(begun));
  report("silent", told ? 0 : 1);
  set_and_wake_all(go);
  static_cast<void>(group.join());
  report("never_run", static_cast<double>(tasks - begun));
}
