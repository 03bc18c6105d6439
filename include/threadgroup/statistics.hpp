// SPDX-License-Identifier: Apache-2.0
// What a group has done and is doing, in numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <threadgroup/duration.hpp>

namespace tg {

/// The counts of one group, all taken at one moment: each task that was ever added is in exactly one of the
/// first six.
struct GroupStatistics {
  std::size_t pending = 0;
  std::size_t running = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t stopped = 0;  ///< left early because of a stop
  std::uint64_t skipped = 0;  ///< never ran because of a stop
  std::size_t threads = 0;    ///< that serve the group now
  /// More than `threads` while the system refuses to make them: as many as the group would have for its
  /// tasks.
  std::size_t threads_wanted = 0;
  int thread_error = 0;  ///< while it refuses, the number of its last error, such as `EAGAIN`; else 0

  std::uint64_t done() const noexcept { return succeeded + failed + stopped + skipped; }
  std::uint64_t total() const noexcept { return pending + running + done(); }
  bool idle() const noexcept { return pending == 0 && running == 0; }
};

/// A task that runs now.
struct RunningTask {
  std::string name;
  Duration running_for;  ///< to the nearest tick of the kernel, 1 to 10 ms
};

/// "2 running (fetch 17 for 9.8 s, fetch 18 for 9.7 s)": the oldest first, the first ten of them.
std::string describe_running(std::size_t count, std::vector<RunningTask> tasks);

/// "3 succeeded, 1 failed, 2 skipped": how the ended tasks ended, without what is zero.
std::string describe_ends(const GroupStatistics& counts);

}  // namespace tg
