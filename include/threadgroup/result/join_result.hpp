// SPDX-License-Identifier: Apache-2.0
// What a join says.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <threadgroup/pool/task.hpp>
#include <threadgroup/tree/statistics.hpp>

namespace tg {

/// Whether everything is done, and if not, why the join came back and what is left.
///
///     if (const auto joined = group.join(10s); !joined) std::cerr << joined.str() << '\n';
struct [[nodiscard]] JoinResult {
  bool timed_out = false;
  bool event_set = false;  ///< the caller's own group was told to stop, and the joined group is not below it
  std::size_t pending = 0;
  std::vector<RunningTask> running;
  std::vector<Failure> failures;  ///< from `wait_idle`; `join` throws them instead

  /// Everything is done.
  explicit operator bool() const noexcept { return !timed_out && !event_set; }
  /// "done", or "timed out: 3 pending, 2 running (fetch 17 for 9.8 s, fetch 18 for 9.7 s)".
  std::string str() const;
};

}  // namespace tg
