// SPDX-License-Identifier: Apache-2.0
// The calls of tg::posix, in a group and outside; and threads blocked in them that the group's event stops.
#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include <latch>
#include <thread>

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
      awake.sign_and_stay();
    });
  }
  there.wait();
  bench::let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  group.set_event("stop");
  const double ms = awake.milliseconds_since(start);
  awake.let_them_end();
  return ms;
}

}  // namespace

void bench::run(const Options& options) {
  const std::int64_t calls = options.get("calls", 100'000);
  const std::int64_t threads = options.get("threads", 1'000);
  std::jthread([&] {
    const auto [plain, ours] = ns_per_ready_read(calls, &::read, &tg::posix::read);
    report("outside_ns", ours);
    report("outside_more_ns", ours - plain);
  }).join();
  tg::ThreadGroup group("reads");
  group.post([&] {
    const auto [plain, ours] = ns_per_ready_read(calls, &::read, &tg::posix::read);
    report("read_ns", ours);
    report("read_ratio", ours / plain);
  });
  group.join();

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
