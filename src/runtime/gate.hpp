// SPDX-License-Identifier: Apache-2.0
// A gate: any number of flows wait before it, and one call lets all of them through.
#pragma once

#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/futex.hpp"

namespace tg::inline v0::runtime {

/// A one-shot broadcast. Many flows that wait for the same thing and for nothing else need no list of
/// waiters: the engine can wake them all at once, which for a thousand threads takes two thirds of the time
/// of a thousand single wake-ups.
///
///     while (!done) gate.wait_until(deadline);      // the other side: done = true; gate.open();
///
/// A flow that also waits for something else parks with the gate: `Flow::spin_or_park_until(deadline, &gate)`.
///
/// Guarantees: once open it stays open, and `wait_until` returns at once. `wait_until` may return early: its
/// caller checks what it waits for. `open` makes a system call only if a flow may be waiting.
/// Thread safety: everything from any thread.
/// Memory ordering: `approach` and `open` are sequentially consistent, so a waiter that approaches first and
/// looks at the condition afterwards, and a setter that sets the condition first and opens afterwards, do not
/// miss each other.
class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Announces a waiter. It looks at its condition once more before it calls `wait_until`.
  void approach() noexcept;
  void wait_until(TimePoint deadline) noexcept;
  TG_EXPORT void open() noexcept;
  bool is_open() const noexcept { return state_.load(std::memory_order_acquire) == kOpen; }
  /// What a flow sleeps on that waits before the gate.
  SleepWord sleep_word() noexcept { return {state_, kWaitedFor}; }

 private:
  static constexpr std::uint32_t kShut = 0;
  static constexpr std::uint32_t kWaitedFor = 1;
  static constexpr std::uint32_t kOpen = 2;

  tg::detail::Atomic<std::uint32_t> state_{kShut};  // atomic: it is what the flows sleep on
};

}  // namespace tg::inline v0::runtime
