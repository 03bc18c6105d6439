// SPDX-License-Identifier: Apache-2.0
// The wheel. The invariants W1 to W3 are in the header.
#include "base/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace tg::inline v0::detail {

namespace {
constexpr int kMovesAtOnce = 256;
}

void TimerWheel::push(TimerEntry*& head, TimerEntry& entry) noexcept {
  entry.next_ = head;
  entry.link_ = &head;
  if (head != nullptr) head->link_ = &entry.next_;
  head = &entry;
}

void TimerWheel::place(TimerEntry& entry) noexcept {
  if (entry.tick_ <= elapsed_) return push(due_, entry);  // W2
  const auto highest = static_cast<unsigned>(std::bit_width(entry.tick_ ^ elapsed_)) - 1;
  const unsigned level = highest / kDigitBits;
  const unsigned digit = static_cast<unsigned>(entry.tick_ >> (level * kDigitBits)) % kSlots;
  entry.slot_ = level * static_cast<unsigned>(kSlots) + digit;
  push(slots_[entry.slot_], entry);
  used_[level] |= std::uint64_t{1} << digit;
}

void TimerWheel::unlink(TimerEntry& entry) noexcept {
  *entry.link_ = entry.next_;
  if (entry.next_ != nullptr) entry.next_->link_ = entry.link_;
  entry.link_ = nullptr;
  // W3: also true of a slot where it was before.
  if (slots_[entry.slot_] == nullptr)
    used_[entry.slot_ / kSlots] &= ~(std::uint64_t{1} << (entry.slot_ % kSlots));
}

void TimerWheel::add(TimerEntry& entry, TimePoint at) noexcept {
  const auto nanos = static_cast<std::uint64_t>(std::max<std::int64_t>(at.nanos(), 0));
  constexpr std::uint64_t kPart = (std::uint64_t{1} << kTickBits) - 1;
  constexpr std::uint64_t kLast = std::uint64_t{std::numeric_limits<std::int64_t>::max()} >> kTickBits;
  entry.tick_ = std::min((nanos >> kTickBits) + ((nanos & kPart) != 0 ? 1 : 0), kLast);
  ++count_;
  place(entry);
}

void TimerWheel::remove(TimerEntry& entry) noexcept {
  --count_;
  unlink(entry);
}

bool TimerWheel::all_slots_are_empty() const noexcept {
  return std::all_of(used_.begin(), used_.end(), [](std::uint64_t bits) { return bits == 0; });
}

TimerWheel::Slot TimerWheel::first_slot() const noexcept {
  std::size_t level = 0;
  while (used_[level] == 0) ++level;  // W1: what is below comes first
  const auto digit = static_cast<std::size_t>(std::countr_zero(used_[level]));
  const auto shift = static_cast<unsigned>(level) * kDigitBits;
  const std::uint64_t above = elapsed_ >> (shift + kDigitBits) << (shift + kDigitBits);
  return Slot{level * kSlots + digit, above | std::uint64_t{digit} << shift};
}

TimePoint TimerWheel::next() const noexcept {
  if (due_ != nullptr || moving_ != nullptr) return TimePoint();
  return TimePoint::from_nanos(static_cast<std::int64_t>(first_slot().tick << kTickBits));
}

TimerEntry* TimerWheel::pop_due(TimePoint now) noexcept {
  const std::uint64_t tick = static_cast<std::uint64_t>(std::max<std::int64_t>(now.nanos(), 0)) >> kTickBits;
  for (int moves = 0; moves < kMovesAtOnce; ++moves) {
    if (due_ != nullptr) {
      TimerEntry* const due = due_;
      remove(*due);
      return due;
    }
    if (moving_ != nullptr) {
      TimerEntry& entry = *moving_;
      unlink(entry);
      place(entry);
      continue;
    }
    if (all_slots_are_empty()) {
      elapsed_ = std::max(elapsed_, tick);
      return nullptr;
    }
    const Slot first = first_slot();
    if (first.tick > tick) {
      elapsed_ = std::max(elapsed_, tick);  // W1 holds: it is still before every slot that is used
      return nullptr;
    }
    elapsed_ = first.tick;
    moving_ = std::exchange(slots_[first.index], nullptr);
    moving_->link_ = &moving_;
    used_[first.index / kSlots] &= ~(std::uint64_t{1} << (first.index % kSlots));
  }
  return nullptr;
}

}  // namespace tg::inline v0::detail
