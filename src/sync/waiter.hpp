// SPDX-License-Identifier: Apache-2.0
// A flow that waits for one primitive, or for the first of several.
//
// Invariants
//   Z2. `claimed_` leaves `kOpen` once. Either a releaser claims the waiter for one of the things that it waits for,
//       or the waiter claims itself; whichever it is alone decides how the wait ends.
//   Z4. A claimed waiter belongs to its releaser until `released_` is true; the waiter does not leave before.
#pragma once

#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/event.hpp"
#include "runtime/flow.hpp"

namespace tg::inline v0::detail {

/// A flow that waits, on its own stack. It has an entry for each thing that it waits for, and is served through
/// one of them.
///
/// Requires: none of its entries is linked when it is destroyed.
/// Guarantees: with any number of concurrent releasers, stops and time-outs, it is claimed once (Z2).
/// Thread safety: `claim`, `release` and `is_released` from any thread; the rest belongs to the waiting flow.
class Waiter {
 public:
  /// Who has claimed it. Above these: a releaser, for the entry with the case `claimed - kFirstCase`.
  static constexpr std::uint32_t kOpen = 0;
  static constexpr std::uint32_t kStopped = 1;
  static constexpr std::uint32_t kTimedOut = 2;
  static constexpr std::uint32_t kWithdrawn = 3;  // the waiter itself, which does not wait after all
  static constexpr std::uint32_t kFirstCase = 4;

  explicit Waiter(runtime::Flow& flow) noexcept : flow_(&flow) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// Parks until it is served, the event is set (null: there is none), or the deadline has come. `ready`: a
  /// releaser has served it, through the entry `served_case()`, and is done with it. Otherwise it has claimed
  /// itself, so no releaser will serve it.
  ///
  /// The caller unlinks its entries afterwards; of one entry that was served, it need not.
  WaitOutcome wait(Event* event, TimePoint deadline);
  /// Claims the waiter itself, without a wait. False: a releaser has served it, and is done with it.
  bool withdraw();
  /// After `ready` or a failed `withdraw`.
  std::uint32_t served_case() const noexcept { return claimed_.load(std::memory_order_relaxed) - kFirstCase; }
  /// A releaser has served it, and is done with it.
  bool is_released() const noexcept;

  // --- For releasers ---
  /// Claims it; false if it is claimed already.
  bool claim(std::uint32_t as) noexcept;
  /// The last thing that its releaser does with it. The caller holds no lock.
  void release() noexcept;

 private:
  void wait_until_released();

  runtime::Flow* const flow_;
  Atomic<std::uint32_t> claimed_{kOpen};  // atomic: see Z2
  Atomic<bool> released_{false};          // atomic: the releaser's last write (Z4)
};

}  // namespace tg::inline v0::detail
