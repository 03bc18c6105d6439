// SPDX-License-Identifier: Apache-2.0
// The calls of tg::posix, in a group and outside; and threads blocked in them that the group's event stops.
#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include <latch>
#include <thread>

#include "../memory/resident.hpp"
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

// With threads of its own process, in which nothing else was touched before.
template <class Block>
double kib_per_thread(std::int64_t threads, Block block) {
  return bench::in_child([&] {
    const std::int64_t before = bench::resident_bytes();
    tg::ThreadGroup group("blocked", {.max_concurrent_threads = static_cast<std::size_t>(threads)});
    std::latch there(threads);
    for (std::int64_t i = 0; i < threads; ++i) {
      group.post([&] {
        there.count_down();
        block();
      });
    }
    there.wait();
    bench::let_them_fall_asleep();
    const double kib =
        static_cast<double>(bench::resident_bytes() - before) / 1024 / static_cast<double>(threads);
    group.set_event("measured");
    return kib;
  });
}

}  // namespace

void bench::run(const Options& options) {
  const std::int64_t calls = options.get("calls", 100'000);
  const std::int64_t threads = options.get("threads", 1'000);
  const Pipe silent;
  if (options.get("memory", 0) != 0) {
    report("asleep_kib",
           kib_per_thread(threads, [] { tg::thread_utils::event_aware_sleep(std::chrono::hours(1)); }));
    return report("call_kib", kib_per_thread(threads, [&] {
                    char byte = 0;
                    static_cast<void>(tg::posix::read(silent.ends[0], &byte, 1));
                  }));
  }
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

  report("read_ms", stop_ms(threads, [&] {
           char byte = 0;
           static_cast<void>(tg::posix::read(silent.ends[0], &byte, 1));
         }));
  report("poll_ms", stop_ms(threads, [&] {
           pollfd one{silent.ends[0], POLLIN, 0};
           static_cast<void>(tg::posix::poll(&one, 1, -1));
         }));
  const int listener = listening_socket();
  report("accept_ms",
         stop_ms(threads, [&] { static_cast<void>(tg::posix::accept(listener, nullptr, nullptr)); }));
}
