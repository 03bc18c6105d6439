// SPDX-License-Identifier: Apache-2.0
// Calls that block until a test lets them end, and tests after which none is left.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <semaphore>

#include <threadgroup/abandonable.hpp>
#include <threadgroup/snapshot.hpp>

#include "support/eventually.hpp"

namespace tg::test {

// A call that blocks until the test opens it, and that the test can wait for. Shared, as the call may be left behind.
struct Gate {
  std::binary_semaphore has_begun{0};
  std::binary_semaphore may_end{0};
};
using SharedGate = std::shared_ptr<Gate>;

inline int pass(const SharedGate& gate) {
  gate->has_begun.release();
  gate->may_end.acquire();
  return 7;
}

inline std::size_t abandoned() { return ThreadEventsController::instance().snapshot().abandoned().size(); }

// No call of an earlier test is left.
class NoCallLeft : public testing::Test {
 protected:
  void TearDown() override {
    eventually([] { return abandoned() == 0; });
    set_max_abandonable_calls(64);
  }
};

}  // namespace tg::test
