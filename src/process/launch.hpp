// SPDX-License-Identifier: Apache-2.0
// Starting a command beside its supervisor.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <threadgroup/process.hpp>

#include "process/descriptor.hpp"

namespace tg::inline v0::process {

/// What the command gets as 0, 1 and 2. Each is from `kFirstFree` on.
struct Standard {
  int in;
  int out;
  int err;
};

/// A command that runs, and its supervisor.
struct Launched {
  Descriptor control;     // to the supervisor
  Descriptor supervisor;  // its pidfd: it is a child of the program, to be reaped
  pid_t command = 0;
};

/// Rounded up, and at least 0 and at most INT_MAX.
int milliseconds_of(Duration duration);

/// Waits until the supervisor has ended, and reaps it.
void reap(const Descriptor& supervisor) noexcept;

/// Starts a supervisor and its command; returns once the command runs. Throws as the constructor of `Process`.
Launched launch(const std::vector<std::string>& command, const ProcessOptions& options, Standard standard);

}  // namespace tg::inline v0::process
