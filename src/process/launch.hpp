// SPDX-License-Identifier: Apache-2.0
// Starting a command beside its supervisor.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <threadgroup/process.hpp>

#include "process/descriptor.hpp"

namespace tg::inline v0::process {

/// What the command has as 0, 1 and 2.
struct Standard {
  int in;
  int out;
  int err;
};

struct Launched {
  Descriptor control;     // to the supervisor
  Descriptor supervisor;  // its pidfd: it is a child of the program, to be reaped
  pid_t command = 0;
};

/// Between 0 and the greatest `int`.
int milliseconds_of(Duration duration);

/// Waits for the end of a supervisor that has nothing left to do.
void reap(const Descriptor& supervisor) noexcept;

/// Starts it, and returns once it runs. Throws as the constructor of `Process`.
Launched launch(const std::vector<std::string>& command, const ProcessOptions& options, Standard standard);

}  // namespace tg::inline v0::process
