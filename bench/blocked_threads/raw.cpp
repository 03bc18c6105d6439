// SPDX-License-Identifier: Apache-2.0
// The lower bound: bare pthread_create in a loop.
#include <pthread.h>

#include <cstdlib>
#include <latch>
#include <vector>

#include "../common/busy_neighbour.hpp"
#include "../common/futex.hpp"
#include "../common/main.hpp"

namespace {
struct Shared {
  explicit Shared(std::int64_t threads) : there(threads) {}
  std::latch there;
  std::atomic<std::uint32_t> over{0};
};

void* block(void* raw) {
  auto& shared = *static_cast<Shared*>(raw);
  shared.there.count_down();
  bench::sleep_while_zero(shared.over);
  return nullptr;
}
}  // namespace

void bench::run(const Options& options) {
  const std::int64_t threads = options.get("threads", 1'000);
  const BusyNeighbour neighbour(options.get("busy", 0) != 0);
  Shared shared(threads);
  std::vector<pthread_t> made(static_cast<std::size_t>(threads));
  const Stopwatch watch;
  for (pthread_t& thread : made) {
    if (::pthread_create(&thread, nullptr, &block, &shared) != 0) std::abort();
  }
  shared.there.wait();
  report("ms", watch.milliseconds());
  set_and_wake_all(shared.over);
  for (const pthread_t thread : made) ::pthread_join(thread, nullptr);
}
