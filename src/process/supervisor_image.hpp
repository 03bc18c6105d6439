// SPDX-License-Identifier: Apache-2.0
// The supervisor's program, in memory.
#pragma once

#include <string>

namespace tg::inline v0::process {

/// The path by which a new process of this program executes the supervisor. Made at the first use; any thread. Throws
/// `std::system_error` if the system has no files in memory, or if the library was built for a processor without a supervisor.
std::string supervisor_path();

}  // namespace tg::inline v0::process
