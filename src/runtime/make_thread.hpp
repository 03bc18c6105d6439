// SPDX-License-Identifier: Apache-2.0
// Makes one OS thread that is a flow from the start.
#pragma once

#include "runtime/thread_requests.hpp"

namespace tg::inline v0::runtime {

/// Makes a detached thread that runs `main(first)`. Returns 0, or the system's error; then `main` does not
/// run. `ENOMEM` also says that there is no memory for what the thread needs.
int make_thread(void (*main)(Job first) noexcept, Job first) noexcept;

}  // namespace tg::inline v0::runtime
