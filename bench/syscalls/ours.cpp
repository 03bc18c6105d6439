// SPDX-License-Identifier: Apache-2.0
// The calls of tg::posix, in a group and outside; and threads blocked in them that the group's event stops.
#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include <latch>

#include "../wake/work.hpp"
#include "work.hpp"

namespace {

template <class Block>
double stop_ms(std::int64_t threads, Block block) {
  tg::ThreadGroup group("calls", {.max_concurrent_threads = static_cast<std::size_t>(threads)});
  bench::Awake awake(threads);
  std::latch there(threads);
  for (std::int64_t i = 0; i < threads; ++i) {
    group.post([&] {
      there.count_down();
      block();
      awake.sign();
    });
  }
  there.wait();
  bench::let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  group.set_event("stop");
  return awake.milliseconds_since(start);
}

}  // namespace

void bench::run(const Options& options) {
  const std::int64_t calls = options.get("calls", 100'000);
  const std::int64_t threads = options.get("threads", 1'000);
  report("outside_ns", ns_per_ready_read(calls, &tg::posix::read));
  double in_group = 0;
  tg::ThreadGroup group("reads");
  group.post([&] { in_group = ns_per_ready_read(calls, &tg::posix::read); });
  group.join();
  report("read_ns", in_group);

  const Pipe silent;
  report("read_ms", stop_ms(threads, [&] {
           char byte = 0;
           static_cast<void>(tg::posix::read(silent.ends[0], &byte, 1));
         }));
  report("poll_ms", stop_ms(threads, [&] {
           pollfd one{silent.ends[0], POLLIN, 0};
           static_cast<void>(tg::posix::poll(&one, 1, -1));
         }));
}
