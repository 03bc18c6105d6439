// SPDX-License-Identifier: Apache-2.0
// The system's clocks, for arguments of system calls. The library itself uses `steady_clock.hpp`.
#pragma once

#include <ctime>

namespace tg::inline v0::runtime {

inline timespec time_on(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now;
}

}  // namespace tg::inline v0::runtime
