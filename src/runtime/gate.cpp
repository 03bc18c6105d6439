// SPDX-License-Identifier: Apache-2.0
// The gate, on one futex.
#include "runtime/gate.hpp"

#include <climits>

#include "base/planted.hpp"
#include "runtime/sleep.hpp"

namespace tg::inline v0::runtime {

void Gate::approach() noexcept {
  std::uint32_t expected = state_.load(std::memory_order_seq_cst);
  if (expected != kShut) return;  // another flow has come first, so `open` finds a waiter
  state_.compare_exchange_strong(expected, kWaitedFor, std::memory_order_seq_cst);
}

void Gate::wait_until(TimePoint deadline) noexcept { sleep_on(sleep_word(), deadline); }

void Gate::open() noexcept {
  if (state_.exchange(kOpen, std::memory_order_seq_cst) != kWaitedFor) return;
  Engine* const engine = Engine::of_caller();
  const long woken = wake_sleepers(engine, state_, TG_PLANTED(gate_opens_for_one) ? 1 : INT_MAX, true);
  // A program in an engine may stop a group of the process: then the sleepers are threads.
  if (!kIsExplored && engine != nullptr && woken == 0) futex_wake(state_, INT_MAX);
}

}  // namespace tg::inline v0::runtime
