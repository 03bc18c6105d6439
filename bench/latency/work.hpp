// SPDX-License-Identifier: Apache-2.0
// One thread sleeps and another one wakes it, many times: how long the waking call takes, and how long it
// takes until the sleeper runs.
#pragma once

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "../common/futex.hpp"
#include "../common/main.hpp"

namespace bench {

using Clock = std::chrono::steady_clock;

/// What the sleeper and the thread that wakes it tell each other in one round.
///
/// The sleeper signs in by a store and wakes no thread. The kernel lets it preempt its waker or not,
/// depending on how much both have run while both were ready, and that must not differ between peers.
class Round {
 public:
  void sign_in() { in_.store(true); }
  bool is_in() const { return in_.load(); }
  void sign_awake() {
    awake_at_ = Clock::now();
    set_and_wake_all(awake_);
  }
  Clock::time_point wait_until_awake() {
    sleep_while_zero(awake_);
    return awake_at_;
  }

 private:
  std::atomic<bool> in_{false};
  std::atomic<std::uint32_t> awake_{0};
  Clock::time_point awake_at_;
};

inline double at(std::vector<double>& values, std::size_t percent) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, values.size() * percent / 100)];
}

/// In each round `begin(round)` has a thread sign in and sleep, `wake()` wakes it, and `end()` makes it ready
/// for the next one.
template <class Begin, class Wake, class End>
void time_wakeups(const Options& options, Begin begin, Wake wake, End end) {
  const std::int64_t rounds = options.get("rounds", 2'000);
  std::vector<double> calls;
  std::vector<double> ways;
  for (std::int64_t i = 0; i < rounds; ++i) {
    Round round;
    begin(round);
    do {  // long enough to fall asleep
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    } while (!round.is_in());
    const Clock::time_point start = Clock::now();
    wake();
    const Clock::time_point returned = Clock::now();
    const Clock::time_point awake = round.wait_until_awake();
    end();
    calls.push_back(std::chrono::duration<double, std::micro>(returned - start).count());
    ways.push_back(std::chrono::duration<double, std::micro>(awake - start).count());
  }
  report("setter_us", at(calls, 50));
  report("p50_us", at(ways, 50));
  report("p99_us", at(ways, 99));
}

}  // namespace bench
