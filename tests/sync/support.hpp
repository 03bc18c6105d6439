// SPDX-License-Identifier: Apache-2.0
// What the tests of primitives share.
#pragma once

#include <thread>

#include "sync/parking_lot.hpp"

namespace tg::sync_test {

/// Returns once so many flows wait at the primitive.
inline void wait_for_waiters(const void* primitive, detail::ParkingQueue queue, int count) {
  for (;;) {
    int found = 0;
    detail::ParkingLot::instance().look({primitive, queue}, [&](const detail::ParkingEntry&) { ++found; });
    if (found == count) return;
    std::this_thread::yield();
  }
}

}  // namespace tg::sync_test
