// SPDX-License-Identifier: Apache-2.0
// Reports of a group's progress while its tasks run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/thread_group.hpp>

namespace tg {
inline namespace v0 {

/// The counts of a group's tasks since the observation began.
struct TG_EXPORT Progress {
  std::uint64_t done = 0;             ///< tasks that have ended: succeeded, failed, stopped or skipped
  std::uint64_t failed = 0;           ///< tasks that threw
  std::uint64_t stopped = 0;          ///< tasks that exited because of a stop
  std::uint64_t skipped = 0;          ///< tasks that never ran
  std::uint64_t total = 0;            ///< tasks added so far, or expected, whichever is more
  Duration elapsed;                   ///< since the observation began
  double rate = 0;                    ///< tasks done per second so far
  std::optional<Duration> time_left;  ///< at this rate; unknown before the first task is done

  /// One line for people: "5/10 done (50%), 1 failed, 2.5/s, 2 s left".
  std::string str() const;
  /// The same with a bar of `width` characters: "[##########----------] 5/10 ...".
  std::string bar(std::size_t width = 20) const;
};

/// The progress from one set of counts of a group to a later one. `expected` is how many tasks there will be,
/// if known; fewer may have been added so far.
TG_EXPORT Progress progress_between(const GroupStatistics& before, const GroupStatistics& now,
                                    Duration elapsed, std::uint64_t expected = 0);

/// Receives the progress at intervals.
using ProgressObserver = std::function<void(const Progress&)>;

/// Options of a `ProgressReporter`.
struct ProgressOptions {
  Duration interval = std::chrono::milliseconds(100);  ///< between two calls of the observer; above zero
  std::uint64_t expected = 0;                          ///< how many tasks there will be; 0 if unknown
};

/// Calls an observer at intervals as long as the reporter exists, and once more in its destructor.
///
///     {
///       tg::ProgressReporter progress(group, tg::progress_line());
///       group.execute();
///     }
///
/// Guarantees: the calls do not overlap, and no lock is held. The last call is made by the thread that runs
/// the destructor, the others by another thread. If the observer throws, it is not called again, and the
/// exception goes to the handler for unseen failures.
/// Lifetime: the group must outlive the reporter.
class TG_EXPORT ProgressReporter {
 public:
  /// Begins to observe the group. Throws `std::invalid_argument` for an interval that is not above zero.
  ProgressReporter(const ThreadGroup& group, ProgressObserver observer, ProgressOptions options = {});
  /// Calls the observer for the last time.
  ~ProgressReporter();

 private:
  Progress look() const;

  const ThreadGroup& group_;
  const ProgressObserver observer_;
  const ProgressOptions options_;
  const GroupStatistics before_;
  const TimePoint start_;
  ThreadGroup reporter_;  // last: its task uses the fields above
};

/// An observer that updates one line on a terminal. If `out` is not a terminal, it writes only the last
/// state, as one line.
TG_EXPORT ProgressObserver progress_line(std::FILE* out = stderr);

}  // namespace v0
}  // namespace tg
