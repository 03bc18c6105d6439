// SPDX-License-Identifier: Apache-2.0
// Two small protocols, written once for each program that explores their schedules, and the measuring.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "../common/main.hpp"

namespace bench {

enum class Order { relaxed, acquire, release, acq_rel, seq_cst };

/// A permit: what comes before `give` happens before the return of the `take` that uses it.
///
/// A checker has a `Word` with the accesses of an atomic, and with the two calls of a futex; a `Plain` variable,
/// whose races it finds; and `require`. `begin` comes before the flows.
template <class Checker>
class Permit {
 public:
  static constexpr int kFlows = 2;

  explicit Permit(bool has_mistake) : has_mistake_(has_mistake) {}
  void begin() {
    state_.begin();
    data_.write(0);
  }
  void flow(int number) { number == 0 ? wait() : give(); }

 private:
  static constexpr int kNone = 0;
  static constexpr int kGiven = 1;
  static constexpr int kParked = 2;

  void wait() {
    while (!take()) {
    }
    Checker::require(data_.read() == 1);
  }
  bool take() {
    if (has_mistake_) {  // it overwrites a permit that has come meanwhile
      if (state_.load(Order::acquire) == kNone) state_.store(kParked, Order::relaxed);
      if (state_.load(Order::acquire) == kParked) state_.sleep_while(kParked);
    } else if (state_.change(kNone, kParked, Order::acquire)) {
      state_.sleep_while(kParked);
    }
    return state_.exchange(kNone, Order::acquire) == kGiven;
  }
  void give() {
    data_.write(1);
    if (state_.exchange(kGiven, Order::release) == kParked) state_.wake_all();
  }

  const bool has_mistake_;
  typename Checker::Word state_;
  typename Checker::Plain data_;
};

/// An event, for which flows wait at a gate: a waiter watches before it looks, the setter sets before it looks
/// for watchers.
template <class Checker>
class WatchedEvent {
 public:
  static constexpr int kFlows = 3;

  explicit WatchedEvent(bool has_mistake) : watch_(has_mistake ? Order::release : Order::seq_cst) {}
  void begin() {
    set_.begin();
    watched_.begin();
    gate_.begin();
    data_.write(0);
  }
  void flow(int number) { number == 0 ? set() : wait(); }

 private:
  static constexpr int kShut = 0;
  static constexpr int kWaitedFor = 1;
  static constexpr int kOpen = 2;

  void wait() {
    while (set_.load(Order::seq_cst) == 0) {
      if (watched_.load(Order::seq_cst) == 0) watched_.store(1, watch_);
      gate_.change(kShut, kWaitedFor, Order::seq_cst);
      if (set_.load(Order::seq_cst) != 0) break;
      gate_.sleep_while(kWaitedFor);
    }
    Checker::require(data_.read() == 1);
  }
  void set() {
    data_.write(1);
    set_.exchange(1, Order::seq_cst);
    if (watched_.load(Order::seq_cst) == 0) return;
    if (gate_.exchange(kOpen, Order::seq_cst) == kWaitedFor) gate_.wake_all();
  }

  const Order watch_;
  typename Checker::Word set_;
  typename Checker::Word watched_;
  typename Checker::Word gate_;
  typename Checker::Plain data_;
};

/// Runs this many schedules, from a seed on, and says after how many one failed; 0 if none did.
template <class Protocol>
std::int64_t explore(std::int64_t schedules, std::int64_t seed, bool has_mistake);

/// The median over the seeds.
template <class Protocol>
double schedules_until_found(std::int64_t seeds) {
  std::vector<std::int64_t> found;
  for (std::int64_t seed = 1; seed <= seeds; ++seed)
    found.push_back(explore<Protocol>(1'000'000, seed * 1'000'000, true));
  std::nth_element(found.begin(), found.begin() + seeds / 2, found.end());
  return static_cast<double>(found[static_cast<std::size_t>(seeds / 2)]);
}

template <class Protocol>
double microseconds_per_schedule(std::int64_t schedules) {
  const Stopwatch watch;
  if (explore<Protocol>(schedules, 0, false) != 0) std::abort();
  return watch.nanoseconds() / 1e3 / static_cast<double>(schedules);
}

template <class Checker>
void compare(const Options& options) {
  const std::int64_t schedules = options.get("tasks", 200'000);
  const std::int64_t seeds = options.get("rounds", 101);
  report("permit_us", microseconds_per_schedule<Permit<Checker>>(schedules));
  report("event_us", microseconds_per_schedule<WatchedEvent<Checker>>(schedules));
  report("permit_found", schedules_until_found<Permit<Checker>>(seeds));
  report("event_found", schedules_until_found<WatchedEvent<Checker>>(seeds));
}

}  // namespace bench
