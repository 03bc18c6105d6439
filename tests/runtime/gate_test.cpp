// SPDX-License-Identifier: Apache-2.0
// The gate: shut, waited for, open permanently.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "runtime/gate.hpp"
#include "runtime/steady_clock.hpp"

#include "support/eventually.hpp"

namespace tg::inline v0::runtime {
namespace gate_test {
namespace {

using namespace std::chrono_literals;

TEST(Gate, an_open_one_lets_all_through_at_once) {
  Gate gate;
  gate.open();
  gate.approach();
  gate.wait_until(TimePoint::never());  // would hang
  gate.open();
  gate.wait_until(TimePoint::never());
}

TEST(Gate, a_shut_one_holds_until_the_deadline) {
  Gate gate;
  const TimePoint deadline = after(5ms);
  while (now() < deadline) {
    gate.approach();
    gate.wait_until(deadline);
  }
  EXPECT_GE(now(), deadline);
}

TEST(Gate, one_call_lets_all_through_and_none_is_missed) {
  for (int round = 0; round < 50; ++round) {
    Gate gate;
    std::atomic<bool> done{false};
    std::atomic<int> near{0};
    std::vector<std::thread> waiters;
    for (int i = 0; i < 4; ++i) {
      waiters.emplace_back([&] {
        ++near;
        while (!done) {
          gate.approach();
          if (done) break;
          gate.wait_until(TimePoint::never());
        }
      });
    }
    test::eventually([&] { return near > round % 4; });  // some wait already, some come while it opens
    done = true;
    gate.open();
    for (auto& waiter : waiters) waiter.join();
  }
}

}  // namespace
}  // namespace gate_test
}  // namespace tg::inline v0::runtime
