// SPDX-License-Identifier: Apache-2.0
// Where failures go that no caller has seen.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <threadgroup/pool/task.hpp>

namespace tg {

/// Called with a group's path and a failure that neither a join nor a handle has seen when the group went
/// away, on the thread that destroyed the group.
using UnseenFailureHandler = std::function<void(const std::string& group_path, const Failure& failure)>;

/// Replaces the handler; an empty one restores the default, which writes group, task and text to stderr.
/// Returns the one before (empty: the default). A handler that throws is itself reported on stderr.
UnseenFailureHandler set_unseen_failure_handler(UnseenFailureHandler handler);

namespace detail {
/// Hands each failure to the handler.
void report_unseen(const std::string& group_path, const std::vector<Failure>& failures) noexcept;
}  // namespace detail
}  // namespace tg
