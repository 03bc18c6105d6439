// SPDX-License-Identifier: Apache-2.0
// Arguments of calls that the kernel must get in another form, or that it changes although POSIX's calls do not.
#pragma once

#include <cerrno>
#include <csignal>
#include <ctime>
#include <optional>
#include <utility>

#include "runtime/stop_signal.hpp"
#include "runtime/system_time.hpp"

namespace tg::inline v0::detail {

/// A set of signals without the one that stops calls: it must reach the thread while it waits.
class SignalSet {
 public:
  explicit SignalSet(const sigset_t* set) {
    if (set != nullptr) ::sigdelset(&set_.emplace(*set), runtime::StopSignal::number());
  }
  const sigset_t* get() const noexcept { return set_ ? &*set_ : nullptr; }

 private:
  std::optional<sigset_t> set_;
};

/// A copy of a time-out, for the kernel writes the remaining time into it, and POSIX's calls do not change the caller's.
class Timeout {
 public:
  explicit Timeout(const timespec* time) {
    if (time != nullptr) time_ = *time;
  }
  static Timeout of_milliseconds(int milliseconds) {
    const timespec time = runtime::from_milliseconds(milliseconds);
    return Timeout(milliseconds < 0 ? nullptr : &time);
  }
  timespec* get() noexcept { return time_ ? &*time_ : nullptr; }
  /// Requires that there is one.
  const timespec& left() const noexcept { return *time_; }

 private:
  std::optional<timespec> time_;
};

/// What a sleep that was stopped before the kernel has seen it has left: all of its time.
class TimeLeft {
 public:
  TimeLeft(timespec* left, const timespec* time) : left_(time != nullptr ? left : nullptr) {
    if (left_ != nullptr) before_ = std::exchange(*left_, *time);
  }
  /// A sleep that was not interrupted leaves the caller's value alone.
  void end(int error) const {
    if (error != EINTR && error != ECANCELED && left_ != nullptr) *left_ = before_;
  }

 private:
  timespec* const left_;
  timespec before_{};
};

}  // namespace tg::inline v0::detail
