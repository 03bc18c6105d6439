// SPDX-License-Identifier: Apache-2.0
// How far a group's work has come, told while it goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include <threadgroup/duration.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/thread_group.hpp>

namespace tg {

/// The counts of a group's tasks since the observation began.
struct Progress {
  std::uint64_t done = 0;  ///< succeeded, failed, stopped or skipped
  std::uint64_t failed = 0;
  std::uint64_t stopped = 0;
  std::uint64_t skipped = 0;
  std::uint64_t total = 0;
  Duration elapsed;
  double rate = 0;                    ///< tasks done per second so far
  std::optional<Duration> time_left;  ///< at this rate; unknown before the first one is done

  /// "5/10 done (50%), 1 failed, 2.5/s, 2 s left"
  std::string str() const;
  /// "[##########----------] 5/10 ..."
  std::string bar(std::size_t width = 20) const;
};

/// What was done between two looks at a group. `expected`: how many tasks there will be, if that is known;
/// the tasks added so far may be fewer.
Progress progress_between(const GroupStatistics& before, const GroupStatistics& now, Duration elapsed,
                          std::uint64_t expected = 0);

using ProgressObserver = std::function<void(const Progress&)>;

struct ProgressOptions {
  Duration interval = std::chrono::milliseconds(100);  ///< between two calls of the observer; above zero
  std::uint64_t expected = 0;                          ///< how many tasks there will be, if known
};

/// Calls an observer at intervals while it lives, and once more at its end.
///
///     {
///       tg::ProgressReporter progress(group, tg::progress_line());
///       group.execute();
///     }
///
/// Guarantees: calls come one at a time, with no lock held; the last one from the destructor's thread, the
/// others from another. What the observer throws ends the calls, and goes to the handler for unseen failures.
/// Lifetime: the group outlives it.
class ProgressReporter {
 public:
  ProgressReporter(const ThreadGroup& group, ProgressObserver observer, ProgressOptions options = {});
  ~ProgressReporter();

 private:
  Progress look() const;

  const ThreadGroup& group_;
  const ProgressObserver observer_;
  const ProgressOptions options_;
  const GroupStatistics before_;
  const TimePoint start_;
  ThreadGroup reporter_;  // last: its task uses the others
};

/// An observer that keeps one line up to date on a terminal, and elsewhere writes the last state as a line.
ProgressObserver progress_line(std::FILE* out = stderr);

}  // namespace tg
