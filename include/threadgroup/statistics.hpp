// SPDX-License-Identifier: Apache-2.0
// The counts of a group's tasks and threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {
inline namespace v0 {

/// The counts of one group, all of one moment. Each task that was ever added is in exactly one of the first
/// six.
struct GroupStatistics {
  std::size_t pending = 0;      ///< tasks that have not started
  std::size_t running = 0;      ///< tasks whose callable runs
  std::uint64_t succeeded = 0;  ///< tasks that returned
  std::uint64_t failed = 0;     ///< tasks that threw
  std::uint64_t stopped = 0;    ///< tasks that exited early because of a stop
  std::uint64_t skipped = 0;    ///< tasks that never ran
  std::size_t threads = 0;      ///< threads that serve the group now
  /// Threads that the group needs for its tasks. More than `threads` while the system refuses to start
  /// threads.
  std::size_t threads_wanted = 0;
  int thread_error = 0;  ///< while the system refuses, its last error number, such as `EAGAIN`; else 0
  std::size_t waiting_adders = 0;  ///< calls of `add_task` and `post` that wait for room (`max_pending`)

  /// Tasks that have ended.
  std::uint64_t done() const noexcept { return succeeded + failed + stopped + skipped; }
  /// All tasks that were ever added.
  std::uint64_t total() const noexcept { return pending + running + done(); }
  /// True if no task is pending or running.
  bool idle() const noexcept { return pending == 0 && running == 0; }
};

/// How fast a group has stopped.
struct StopLatency {
  Duration time;  ///< from the stop to the end of the last task that ran then; so far, if some run on
  std::string slowest_task;  ///< the task that ended last
};

/// A task that runs now.
struct TG_EXPORT RunningTask {
  std::string name;      ///< the task's name, or "task 17"
  Duration running_for;  ///< to the nearest tick of the kernel, 1 to 10 ms
  /// What it waits for in the library: "a time (event_aware_sleep)", "task 'load' of group 'db'", "read on descriptor 5". Empty
  /// while it runs, and while it is in a call that the library does not know, such as the C library's `read`.
  std::string waits_for = {};
  Duration waiting_for = {};     ///< how long it has slept there, as exact as `running_for`
  SourceLocation added_at = {};  ///< where it was added, if known; file and line only
  std::string note = {};         ///< what it last gave to `thread_utils::note`

  /// "'fetch 17' (for 9.8 s; page 7; waits for a condition for 9.7 s; added at main.cpp:42)"
  std::string str() const;
};

}  // namespace v0
}  // namespace tg
