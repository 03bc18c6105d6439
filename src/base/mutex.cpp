// SPDX-License-Identifier: Apache-2.0
// The slow halves of the lock: when somebody holds it, and when somebody waits for it.
#include <threadgroup/base/mutex.hpp>
#include <threadgroup/base/spin.hpp>

namespace tg::detail {

namespace {
// A holder is out again within some tens of nanoseconds unless it was preempted; then spinning is waste.
constexpr int kSpins = 40;
}  // namespace

void Mutex::lock_slow() {
  for (int i = 0; i < kSpins; ++i) {
    if (state_.load(std::memory_order_relaxed) == kFree) {
      std::uint32_t expected = kFree;
      if (state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed))
        return;
    }
    relax();
  }
  // Whoever has waited once takes the lock as contended: it cannot know whether it was the only waiter, and a
  // wake-up too many is cheaper than a sleeper that nobody wakes.
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    state_.wait(kContended, std::memory_order_relaxed);
  }
}

void Mutex::wake_one() { state_.notify_one(); }

}  // namespace tg::detail
