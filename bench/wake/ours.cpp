// SPDX-License-Identifier: Apache-2.0
// Threads in event_aware_sleep, or in waits of all primitives, woken by the group's event.
#include <threadgroup/threadgroup.hpp>

#include <latch>

#include "primitives.hpp"
#include "work.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t threads = options.get("threads", 1'000);
  const bool in_primitives = options.get("primitives", 0) != 0;
  Primitives primitives(threads);
  tg::ThreadGroup group("wake", {.max_concurrent_threads = static_cast<std::size_t>(threads)});
  Awake awake(threads);
  std::latch there(threads);
  for (std::int64_t i = 0; i < threads; ++i) {
    group.post([&, i] {
      there.count_down();
      if (in_primitives) {
        primitives.wait(i);
      } else {
        tg::thread_utils::event_aware_sleep(600s);
      }
      awake.sign();
    });
  }
  there.wait();
  let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  group.set_event("wake up");
  const double set =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  report("ms", awake.milliseconds_since(start));
  report("setter_ms", set);
}
