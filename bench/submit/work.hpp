// SPDX-License-Identifier: Apache-2.0
// Empty tasks from some producers to some workers: what handing over one task costs.
#pragma once

#include <latch>
#include <thread>
#include <vector>

#include "../common/main.hpp"

namespace bench {

struct SubmitSize {
  explicit SubmitSize(const Options& options)
      : tasks(options.get("tasks", 1'000'000)),
        producers(options.get("producers", 1)),
        workers(options.get("workers", 2)) {}
  std::int64_t tasks;
  std::int64_t producers;
  std::int64_t workers;
};

/// Runs `produce(count)` on each producer at once and then `drain()`, and reports the time per task.
template <class Produce, class Drain>
void time_submit(const SubmitSize& size, Produce produce, Drain drain) {
  const std::int64_t each = size.tasks / size.producers;
  std::latch start(size.producers + 1);
  std::vector<std::jthread> producers;
  for (std::int64_t i = 1; i < size.producers; ++i) {
    producers.emplace_back([&] {
      start.arrive_and_wait();
      produce(each);
    });
  }
  start.count_down(2);
  start.wait();
  const Stopwatch watch;
  produce(each);
  producers.clear();
  drain();
  report("ns_per_task", watch.nanoseconds() / static_cast<double>(each * size.producers));
}

}  // namespace bench
