// SPDX-License-Identifier: Apache-2.0
// Reports the tasks that a long wait waits for.
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

}  // namespace tg::inline v0::detail
