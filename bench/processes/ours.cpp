// SPDX-License-Identifier: Apache-2.0
// A group of two threads, with a Process in each task.
#include <threadgroup/process.hpp>
#include <threadgroup/threadgroup.hpp>

#include "work.hpp"

void bench::run(const Options& options) {
  const Stopwatch watch;
  tg::ThreadGroup group("commands", {.max_concurrent_threads = 2});
  for (std::int64_t left = options.get("tasks", 1'000); left > 0; --left) {
    group.post([] {
      if (!tg::Process({"/bin/true"}).wait().ok()) std::abort();
    });
  }
  group.join();
  report("s", watch.seconds());
}
