// SPDX-License-Identifier: Apache-2.0
// Tests of the signal that takes threads out of their calls.
#pragma once

#include <gtest/gtest.h>

#include "runtime/stoppable_call.hpp"

namespace tg::test {

/// Skipped where calls poll, without that signal.
class SignalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!runtime::kHasStoppableCalls) GTEST_SKIP() << "calls poll, without a signal";
  }
};

}  // namespace tg::test
