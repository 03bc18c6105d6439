// SPDX-License-Identifier: Apache-2.0
// The same with Boost.Fiber: a hundred fibers of one thread, which sleep in turn without a thread each.
#include <boost/fiber/all.hpp>
#include <vector>

#include "../common/main.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  const std::int64_t tasks = options.get("tasks", 10'000);
  const std::int64_t bound = options.get("bound", 100);
  std::int64_t begun = 0;
  std::vector<boost::fibers::fiber> fibers;
  const Stopwatch watch;
  for (std::int64_t i = 0; i < bound; ++i) {
    fibers.emplace_back([&] {
      while (begun < tasks) {
        ++begun;
        boost::this_fiber::sleep_for(1ms);
      }
    });
  }
  for (auto& fiber : fibers) fiber.join();
  report("ms", watch.milliseconds());
  report("times_ideal", watch.milliseconds() / (static_cast<double>(tasks) / static_cast<double>(bound)));
}
