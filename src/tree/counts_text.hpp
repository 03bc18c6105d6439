// SPDX-License-Identifier: Apache-2.0
// Counts of tasks, and abandoned calls, in words.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/statistics.hpp>

namespace tg::inline v0::detail {

/// "2 running (fetch 17 for 9.8 s, fetch 18 for 9.7 s)": names at most ten tasks, the oldest first.
std::string describe_running(std::size_t count, std::vector<RunningTask> tasks);

/// "3 succeeded, 1 failed, 2 skipped": how tasks ended; counts of zero are left out.
std::string describe_ends(const GroupStatistics& counts);

/// "abandoned by 'MainThread/Fetch' 2.1 s ago".
TG_EXPORT std::string describe_abandoned(const AbandonedCall& call);

/// "; its last task, 'fetch 17', ended 2.3 s after the stop" for a stop that took a second or more; else
/// nothing.
std::string describe_slow_stop(const StopLatency& stop);

}  // namespace tg::inline v0::detail
