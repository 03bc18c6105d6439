// SPDX-License-Identifier: Apache-2.0
// A queue of timers, any number of them, most of which are removed before they are due.
//
// Invariants
//   W1. Time here is counted in ticks, a point's rounded up. An entry on level L is later than `elapsed_`: it
//       differs from it first, seen from the top, in the L-th digit of base 64, which is its slot. So within
//       a level the lowest used slot comes first, and everything on a level comes before what is above it.
//   W2. An entry whose tick has come is in `due_`; those of a slot whose time has come are in `moving_` until
//       they are in their new slots. `elapsed_` does not change meanwhile.
//   W3. The bit of a slot is set exactly while its list is not empty.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <threadgroup/duration.hpp>

namespace tg::inline v0::detail {

/// One point in time in a wheel; a member or a base of the object that is to be notified.
class TimerEntry {
 public:
  TimerEntry() = default;
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;

  bool is_linked() const noexcept { return link_ != nullptr; }

 private:
  friend class TimerWheel;
  TimerEntry* next_ = nullptr;
  TimerEntry** link_ = nullptr;  // what points to this entry: the list's head or the one before
  std::uint64_t tick_ = 0;
  std::uint32_t slot_ = 0;  // where it is, or was before it moved to `due_` or `moving_`
};

/// A hierarchical timing wheel: G. Varghese and A. Lauck, "Hashed and Hierarchical Timing Wheels" (1987),
/// scheme 7.
///
/// Guarantees: `add` and `remove` take constant time and no memory, whatever the number of entries. An entry
/// is never due early, and at most one tick late, about a microsecond. An entry that becomes due was moved at
/// most once for each level.
/// Thread safety: none; its owner has a lock.
class TimerWheel {
 public:
  /// Requires that the entry is not linked, and that `at` is not `TimePoint::never()`.
  void add(TimerEntry& entry, TimePoint at) noexcept;
  /// Requires that the entry is linked.
  void remove(TimerEntry& entry) noexcept;
  bool empty() const noexcept { return count_ == 0; }

  /// Takes out an entry that is due at `now`; null if there is none, or if finding one would take too many
  /// steps under a lock. In the second case `next` is not after `now`, and the caller calls again.
  TimerEntry* pop_due(TimePoint now) noexcept;
  /// When to call `pop_due` again: never later than an entry is due. Requires that it is not empty.
  TimePoint next() const noexcept;

 private:
  static constexpr unsigned kTickBits = 10;  // of nanoseconds
  static constexpr unsigned kDigitBits = 6;
  static constexpr std::size_t kSlots = std::size_t{1} << kDigitBits;
  static constexpr std::size_t kLevels = 9;  // 54 bits of ticks are all that nanoseconds can need

  struct Slot {
    std::size_t index;
    std::uint64_t tick;  // its first
  };
  /// The used slot whose time comes first. Requires that there is one.
  Slot first_slot() const noexcept;
  bool all_slots_are_empty() const noexcept;
  void place(TimerEntry& entry) noexcept;
  void unlink(TimerEntry& entry) noexcept;
  static void push(TimerEntry*& head, TimerEntry& entry) noexcept;

  std::uint64_t elapsed_ = 0;
  std::size_t count_ = 0;
  TimerEntry* due_ = nullptr;
  TimerEntry* moving_ = nullptr;
  std::array<std::uint64_t, kLevels> used_ = {};         // a bit for each slot
  std::array<TimerEntry*, kLevels* kSlots> slots_ = {};  // heads of lists
};

}  // namespace tg::inline v0::detail
