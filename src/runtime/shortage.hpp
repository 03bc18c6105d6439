// SPDX-License-Identifier: Apache-2.0
// A time in which the system refuses threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

/// Reports of the same kind: at most one a minute.
///
/// Thread safety: everything from any thread.
class ReportPause {
 public:
  /// True for the first flow that asks in a minute.
  bool may_report() noexcept;

 private:
  tg::detail::Atomic<std::int64_t> next_{0};  // atomic: several flows may ask at once
};

/// When to ask the system for a thread again, and when to say on stderr that there are too few.
///
/// Thread safety: everything under the lock of the thread cache.
class Shortage {
 public:
  /// The system has refused a thread, and says why.
  void note(int error) noexcept { error_ = error; }
  /// The first attempt is due at once.
  void begin() noexcept {
    ask_at_ = TimePoint();
    pause_ = kFirstPause;
  }
  /// The next attempt is due after a pause that grows.
  void back_off() noexcept;
  /// The system has made a thread for another job.
  void ask_at_once() noexcept { ask_at_ = TimePoint(); }
  TimePoint ask_at() const noexcept { return ask_at_; }
  TimePoint after_pause() const noexcept { return runtime::after(pause_); }
  /// Of the last refusal.
  int error() const noexcept { return error_; }
  bool may_report() noexcept { return reports_.may_report(); }

 private:
  static constexpr Duration kFirstPause = Duration::from_nanos(1'000'000);

  int error_ = 0;
  TimePoint ask_at_;
  Duration pause_ = kFirstPause;
  ReportPause reports_;
};

/// The flows that wake now and then to ask the system again. A few are enough.
///
/// Thread safety: everything from any thread.
class Askers {
 public:
  /// Several, because each of them may stop sleeping at any moment.
  static constexpr int kMost = 4;

  bool none() const noexcept { return count_.load(std::memory_order_relaxed) == 0; }
  /// Counts the caller. False if there are enough, and then it is not counted.
  bool begin() noexcept;
  /// True if the caller was the last one.
  bool end() noexcept { return count_.fetch_sub(1, std::memory_order_relaxed) == 1; }
  void forget() noexcept { count_.store(0, std::memory_order_relaxed); }

 private:
  tg::detail::Atomic<int> count_{0};  // atomic: each counts itself
};

/// Says on stderr that there are `threads`, and that groups wait for so many more.
void report_shortage(std::size_t threads, std::size_t wanted, int error) noexcept;

}  // namespace tg::inline v0::runtime
