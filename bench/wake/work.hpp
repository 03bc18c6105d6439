// SPDX-License-Identifier: Apache-2.0
// Sleeping threads are stopped: the time until the last one is awake.
#pragma once

#include <atomic>
#include <thread>

#include "../common/futex.hpp"
#include "../common/main.hpp"

namespace bench {

/// Counts the threads that are awake; the time of the last one is the figure.
class Awake {
 public:
  explicit Awake(std::int64_t threads) : left_(threads) {}

  void sign() {
    if (left_.fetch_sub(1) == 1) {
      last_ = std::chrono::steady_clock::now();
      done_.store(true);
      done_.notify_one();
    }
  }
  /// Keeps the thread until `let_them_end`. A thread that ended would delay those that still have to wake up, and both sides
  /// of a comparison must do the same work.
  void sign_and_stay() {
    sign();
    sleep_while_zero(over_);
  }
  void let_them_end() { set_and_wake_all(over_); }

  double milliseconds_since(std::chrono::steady_clock::time_point start) {
    done_.wait(false);
    return std::chrono::duration<double, std::milli>(last_ - start).count();
  }

 private:
  std::atomic<std::int64_t> left_;
  std::atomic<bool> done_{false};
  std::atomic<std::uint32_t> over_{0};
  std::chrono::steady_clock::time_point last_;
};

/// Long enough for all threads to be asleep: they have all signed in before, and only the last steps are left
/// to them.
inline void let_them_fall_asleep() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

}  // namespace bench
