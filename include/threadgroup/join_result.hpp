// SPDX-License-Identifier: Apache-2.0
// What a join says.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/detail/task.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/statistics.hpp>

namespace tg {

/// Whether everything is done and how it ended; if not, why the join returned and what is left.
///
///     if (const auto joined = group.join(10s); !joined.all_succeeded()) std::cerr << joined.str() << '\n';
struct JoinResult {
  bool timed_out = false;
  bool event_set = false;  ///< the caller's own group was stopped, and the joined group is not below it
  std::size_t pending = 0;
  std::vector<RunningTask> running;
  std::vector<Failure> failures;  ///< from `wait_idle`; `join` throws them instead
  GroupStatistics counts;         ///< of all tasks that the group ever had
  std::optional<Reason> reason;   ///< why the group was stopped, if it was

  /// Everything is done, in whichever way.
  explicit operator bool() const noexcept { return !timed_out && !event_set; }
  /// Everything is done, and each task returned: none failed, was stopped or was skipped.
  bool all_succeeded() const noexcept { return *this && counts.succeeded == counts.total(); }
  /// "done: 5 succeeded", "stopped (deadline: 20 ms): 1 succeeded, 1 stopped, 3 skipped", or "timed out: 3
  /// pending, 2 running (fetch 17 for 9.8 s, fetch 18 for 9.7 s), 4 succeeded".
  std::string str() const;
};

}  // namespace tg
