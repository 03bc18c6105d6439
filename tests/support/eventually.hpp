// SPDX-License-Identifier: Apache-2.0
// Waits in tests for a state that can be observed but not waited for.
#pragma once

#include <thread>

namespace tg::test {

/// Gives way to other threads until the predicate is true. It passes no judgement on time: a state that never
/// comes ends in the time limit of the test.
template <class Predicate>
void eventually(Predicate predicate) {
  while (!predicate()) std::this_thread::yield();
}

}  // namespace tg::test
