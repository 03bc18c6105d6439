// SPDX-License-Identifier: Apache-2.0
// Reads the monotonic clock.
#include "runtime/steady_clock.hpp"

#include <ctime>

#include "runtime/engine.hpp"

namespace tg::inline v0::runtime {

namespace {
TimePoint read_system(clockid_t clock) noexcept {
  timespec t{};
  ::clock_gettime(clock, &t);
  return TimePoint::from_nanos(std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec);
}
TimePoint read(clockid_t clock) noexcept {
  if (Engine* const engine = Engine::of_caller()) [[unlikely]]
    return engine->now();
  if constexpr (kIsExplored) return TimePoint();
  return read_system(clock);
}
}  // namespace

TimePoint now() noexcept { return read(CLOCK_MONOTONIC); }
TimePoint system_now() noexcept { return read_system(CLOCK_MONOTONIC); }
TimePoint coarse_now() noexcept { return read(CLOCK_MONOTONIC_COARSE); }

}  // namespace tg::inline v0::runtime
