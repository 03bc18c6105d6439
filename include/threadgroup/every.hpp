// SPDX-License-Identifier: Apache-2.0
// A loop at a fixed rate, which ends when the caller is stopped.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>

namespace tg {
inline namespace v0 {

/// The range that `every` returns: ticks at a fixed rate, until an event that covers the caller is set.
///
/// Guarantees: tick k is due k intervals after the range was made, however long the loop body takes, so the
/// rate does not drift. The first tick that became due while the body ran comes at once. Further missed
/// ticks are skipped, and the next one is again at a multiple of the interval. Go's `time.Ticker` and
/// tokio's `MissedTickBehavior::Skip` do the same. If a tick is due and the caller is stopped, the range ends.
/// Thread safety: none; one thread uses it.
class TG_EXPORT Ticks {
 public:
  /// Throws `std::invalid_argument` unless the interval is longer than zero.
  explicit Ticks(Duration interval);

  /// Waits for the next tick and returns when it was due. Nothing once the caller is stopped.
  std::optional<TimePoint> next();

  /// An input iterator over the ticks.
  class Iterator {
   public:
    using value_type = TimePoint;                      ///< what the range yields
    using difference_type = std::ptrdiff_t;            ///< required of iterators
    using iterator_concept = std::input_iterator_tag;  ///< the range can be read once
    /// Waits for the first tick.
    explicit Iterator(Ticks* ticks) : ticks_(ticks), tick_(ticks->next()) {}
    /// When the current tick was due.
    TimePoint operator*() const noexcept { return *tick_; }
    /// Waits for the next tick.
    Iterator& operator++() {
      tick_ = ticks_->next();
      return *this;
    }
    /// Waits for the next tick.
    void operator++(int) { ++*this; }
    /// True once the caller is stopped.
    friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
      return !at.tick_.has_value();
    }

   private:
    Ticks* ticks_;
    std::optional<TimePoint> tick_;
  };
  /// Waits for the first tick.
  Iterator begin() { return Iterator(this); }
  /// The end of the range.
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  const Duration interval_;
  TimePoint next_;
};

/// A range of ticks at a fixed rate. The first one comes one interval after the call. The loop ends when an
/// event that covers the caller is set; without such an event it does not end by itself.
///
///     for (tg::TimePoint tick : tg::every(1s)) report(tick);
///
/// `Ticks` says what happens to ticks that a slow loop misses. Throws `std::invalid_argument` unless the
/// interval is longer than zero.
inline Ticks every(Duration interval) { return Ticks(interval); }

}  // namespace v0
}  // namespace tg
