// SPDX-License-Identifier: Apache-2.0
// Calls that block until a test lets them end, stops of their callers, and tests after which none is left.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/abandonable.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/snapshot.hpp>

#include "support/eventually.hpp"

namespace tg::test {

// A call that blocks until the test opens it, and that the test can wait for. Shared, as the call may be left behind.
struct Gate {
  std::counting_semaphore<> has_begun{0};
  std::counting_semaphore<> may_end{0};
};
using SharedGate = std::shared_ptr<Gate>;

inline int pass(const SharedGate& gate) {
  gate->has_begun.release();
  gate->may_end.acquire();
  return 7;
}

// Opens gates at the end of a block, so that an assertion that fails does not leave a group of the test with tasks that never
// end: declare it after the group.
class OpenedAtEnd {
 public:
  explicit OpenedAtEnd(std::vector<SharedGate> gates) : gates_(std::move(gates)) {}
  ~OpenedAtEnd() {
    for (const SharedGate& gate : gates_) gate->may_end.release();
  }
  OpenedAtEnd(const OpenedAtEnd&) = delete;
  OpenedAtEnd& operator=(const OpenedAtEnd&) = delete;

 private:
  const std::vector<SharedGate> gates_;
};

inline std::size_t abandoned() { return ThreadEventsController::instance().snapshot().abandoned().size(); }

// Stops the scope once the call behind the gate has begun. A scope with a time limit might stop before that, on a busy
// machine, and then the call is not made.
class StopOnceBegun {
 public:
  StopOnceBegun(StopScope& scope, SharedGate gate)
      : gate_(std::move(gate)), thread_([this, &scope] {
          gate_->has_begun.acquire();
          scope.set_event("it has begun");
        }) {}
  ~StopOnceBegun() {
    gate_->has_begun.release();  // if the call was never made, the test fails and does not hang
    thread_.join();
  }
  StopOnceBegun(const StopOnceBegun&) = delete;
  StopOnceBegun& operator=(const StopOnceBegun&) = delete;

 private:
  const SharedGate gate_;
  std::thread thread_;
};

// No call of an earlier test is left.
class NoCallLeft : public testing::Test {
 protected:
  SharedGate new_gate() { return gates_.emplace_back(std::make_shared<Gate>()); }

  void TearDown() override {
    // Of a test that has failed, they may be closed.
    for (const SharedGate& gate : gates_) gate->may_end.release();
    eventually([] { return abandoned() == 0; });
    set_max_abandonable_calls(64);
  }

 private:
  std::vector<SharedGate> gates_;
};

}  // namespace tg::test
