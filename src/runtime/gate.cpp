// SPDX-License-Identifier: Apache-2.0
// The gate, on one futex.
#include "runtime/gate.hpp"

#include <climits>

#include "base/planted.hpp"
#include "runtime/sleep.hpp"

namespace tg::inline v0::runtime {

void Gate::approach() noexcept {
  std::uint32_t expected = kShut;
  state_.compare_exchange_strong(expected, kWaitedFor, std::memory_order_seq_cst);
}

void Gate::wait_until(TimePoint deadline) noexcept { sleep_on(state_, kWaitedFor, deadline); }

void Gate::open() noexcept {
  if (state_.exchange(kOpen, std::memory_order_seq_cst) == kWaitedFor)
    wake_sleepers(Engine::of_caller(), state_, TG_PLANTED(gate_opens_for_one) ? 1 : INT_MAX, true);
}

}  // namespace tg::inline v0::runtime
