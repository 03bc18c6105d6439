// SPDX-License-Identifier: Apache-2.0
// Reports the tasks that a long wait waits for, and the calls that the end of the process leaves behind.
#pragma once

#include <string>

#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Writes to stderr which tasks the group still runs, and for how long: a line for each of the first ten.
///
///     threadgroup: at exit, group 'MainThread/Fetch' still runs task 'page 3' (for 2.1 s)
///
/// `when` is what comes before the comma. Takes the forest's lock; throws `std::bad_alloc`.
void report_still_running(const Node& group, const std::string& when);

/// Writes to stderr which calls of `abandonable` still run although their callers have gone on, if there are any.
///
///     threadgroup: at exit, 1 abandoned call still runs: 'getaddrinfo', abandoned by 'MainThread/Fetch' 2.1 s ago
///
/// A call that has made groups is followed by ", with group 'a'".
void report_abandoned(const std::string& when, const ForestSnapshot& snapshot);

}  // namespace tg::inline v0::detail
