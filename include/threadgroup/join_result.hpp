// SPDX-License-Identifier: Apache-2.0
// The result of a join.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/statistics.hpp>

namespace tg {
inline namespace v0 {

/// How a join ended: how the tasks ended, or why the join returned early and what is left.
///
///     if (const auto joined = group.join(10s); !joined.all_succeeded()) std::cerr << joined.str() << '\n';
struct TG_EXPORT JoinResult {
  bool timed_out = false;   ///< the time-out passed before all tasks had ended
  bool event_set = false;   ///< the caller's scope or group was stopped, and the joined group is not below it
  std::size_t pending = 0;  ///< tasks that have not started; 0 if all have ended
  std::vector<RunningTask> running;  ///< tasks that run now; empty if all have ended
  std::vector<Failure> failures;     ///< from `wait_idle`; `join` throws them instead
  GroupStatistics counts;            ///< of all tasks that were ever added to the group
  std::optional<Reason> reason;      ///< why the group was stopped, if it was
  std::optional<StopLatency> stop;   ///< how fast it was then, if tasks were running

  /// True if all tasks have ended, successfully or not.
  explicit operator bool() const noexcept { return !timed_out && !event_set; }
  /// True if all tasks have ended and each of them succeeded: none failed, was stopped or was skipped.
  bool all_succeeded() const noexcept { return *this && counts.succeeded == counts.total(); }
  /// One line for people, such as
  ///
  ///     done: 5 succeeded
  ///     stopped (deadline: 20 ms): 1 succeeded, 1 stopped, 3 skipped
  ///     stopped (requested): 1 succeeded; its last task, 'fetch 17', ended 2.3 s after the stop
  ///     timed out: 3 pending, 2 running (fetch 17 for 9.8 s, fetch 18 for 9.7 s), 4 succeeded
  std::string str() const;
};

}  // namespace v0
}  // namespace tg
