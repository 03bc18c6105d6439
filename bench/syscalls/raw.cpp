// SPDX-License-Identifier: Apache-2.0
// The plain read; and threads that poll one eventfd, which all of them see when it becomes readable.
#include <sys/eventfd.h>

#include <latch>
#include <thread>
#include <vector>

#include "../memory/resident.hpp"
#include "../wake/work.hpp"
#include "work.hpp"

namespace {
double kib_per_polling_thread(std::int64_t threads) {
  return bench::in_child([&] {
    const std::int64_t before = bench::resident_bytes();
    const bench::Pipe silent;
    std::latch there(threads);
    for (std::int64_t i = 0; i < threads; ++i) {
      std::thread([&] {
        there.count_down();
        pollfd one{silent.ends[0], POLLIN, 0};
        static_cast<void>(::poll(&one, 1, -1));
      }).detach();
    }
    there.wait();
    bench::let_them_fall_asleep();
    return static_cast<double>(bench::resident_bytes() - before) / 1024 / static_cast<double>(threads);
  });
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t calls = options.get("calls", 100'000);
  const std::int64_t threads = options.get("threads", 1'000);
  if (options.get("memory", 0) != 0) {
    const double kib = kib_per_polling_thread(threads);
    report("asleep_kib", kib);
    return report("call_kib", kib);
  }
  // In a second thread, as in ours.cpp: glibc's `read` is faster while the process has only one.
  std::jthread([&] {
    const auto [plain, again] = ns_per_ready_read(calls, &::read, &::read);
    report("outside_ns", plain);
    report("read_ns", plain);
    report("read_ratio", again / plain);
  }).join();

  const int event = ::eventfd(0, EFD_CLOEXEC);
  Awake awake(threads);
  std::latch there(threads);
  std::vector<std::jthread> blocked;
  for (std::int64_t i = 0; i < threads; ++i) {
    blocked.emplace_back([&] {
      there.count_down();
      pollfd one{event, POLLIN, 0};
      static_cast<void>(::poll(&one, 1, -1));
      awake.sign_and_stay();
    });
  }
  there.wait();
  let_them_fall_asleep();
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t one = 1;
  if (::write(event, &one, sizeof one) != sizeof one) std::abort();
  const double ms = awake.milliseconds_since(start);
  awake.let_them_end();
  report("read_ms", ms);
  report("poll_ms", ms);
  report("accept_ms", ms);
}
