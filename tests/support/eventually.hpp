// SPDX-License-Identifier: Apache-2.0
// Waits in tests for a state that can be observed but not waited for.
#pragma once

#include <chrono>
#include <semaphore>
#include <thread>

namespace tg::test {

/// Gives way to other threads until the predicate is true. It passes no judgement on time: a state that never
/// comes ends in the time limit of the test.
template <class Predicate>
void eventually(Predicate predicate) {
  while (!predicate()) std::this_thread::yield();
}

/// Blocks outside of the library, so that others have time to fall asleep. The test must be right without it:
/// it only makes the test harder.
inline void leave_time(std::chrono::milliseconds time) {
  std::binary_semaphore never(0);
  static_cast<void>(never.try_acquire_for(time));
}

}  // namespace tg::test
