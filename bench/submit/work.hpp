// SPDX-License-Identifier: Apache-2.0
// Empty tasks from some producers to some workers: what handing over one task costs.
#pragma once

#include <algorithm>
#include <latch>
#include <thread>
#include <vector>

#include "../common/main.hpp"

namespace bench {

struct SubmitSize {
  explicit SubmitSize(const Options& options)
      : tasks(options.get("tasks", 1'000'000) / options.get("producers", 1) * options.get("producers", 1)),
        producers(options.get("producers", 1)),
        workers(options.get("workers", 2)),
        repeats(options.get("repeats", 5)) {}
  std::int64_t tasks;
  std::int64_t producers;
  std::int64_t workers;
  std::int64_t repeats;
};

/// Runs `work.produce(count)` on each producer at once and then `work.drain()`, several times in one process.
/// `make()` makes the work, with whatever pool it needs, before the time begins.
///
/// The first time is a figure of its own: there, memory that the process never used before costs more than
/// anything that a pool does. Of the others the median counts.
template <class Make>
void time_submit(const SubmitSize& size, Make make) {
  std::vector<double> times;
  for (std::int64_t round = 0; round < size.repeats; ++round) {
    auto work = make();
    const std::int64_t each = size.tasks / size.producers;
    std::latch start(size.producers);
    std::vector<std::jthread> producers;
    for (std::int64_t i = 1; i < size.producers; ++i) {
      producers.emplace_back([&] {
        start.arrive_and_wait();
        work.produce(each);
      });
    }
    start.arrive_and_wait();
    const Stopwatch watch;
    work.produce(each);
    producers.clear();
    work.drain();
    times.push_back(watch.nanoseconds() / static_cast<double>(size.tasks));
  }
  report("first_ns_per_task", times.front());
  if (times.size() > 1) times.erase(times.begin());
  std::sort(times.begin(), times.end());
  report("ns_per_task", times[times.size() / 2]);
}

}  // namespace bench
