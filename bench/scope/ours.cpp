// SPDX-License-Identifier: Apache-2.0
// Scopes without and with a deadline, made and destroyed: alone, and in the innermost of many with deadlines.
#include <threadgroup/threadgroup.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "../common/main.hpp"

namespace {

/// A time that the program does not reach, in no order.
tg::Duration random_time() {
  static std::minstd_rand random;
  return std::chrono::hours(1) + std::chrono::microseconds(random());
}

/// The best of several rounds, for other work on the machine only ever makes a round slower.
template <class Once>
double ns_per_call(std::int64_t calls, Once once) {
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < 10; ++round) {
    const bench::Stopwatch watch;
    for (std::int64_t i = 0; i < calls; ++i) once();
    best = std::min(best, watch.nanoseconds() / static_cast<double>(calls));
  }
  return best;
}

}  // namespace

void bench::run(const Options& options) {
  const std::int64_t rounds = options.get("rounds", 100'000);
  const auto nodes = static_cast<std::size_t>(options.get("nodes", 1'000'000));
  const auto plain = [] { const tg::StopScope scope; };
  const auto with_deadline = [] { const tg::StopScope scope(random_time()); };
  report("plain_ns", ns_per_call(rounds, plain));
  report("deadline_ns", ns_per_call(rounds, with_deadline));

  std::vector<std::unique_ptr<tg::StopScope>> live;
  live.reserve(nodes);
  const Stopwatch making;
  while (live.size() < nodes) live.push_back(std::make_unique<tg::StopScope>(random_time()));
  double spent = making.nanoseconds();
  report("deadline_among_many_ns", ns_per_call(rounds, with_deadline));
  const Stopwatch unmaking;
  while (!live.empty()) live.pop_back();  // the innermost one first
  spent += unmaking.nanoseconds();
  report("many_ns", spent / static_cast<double>(nodes));
}
