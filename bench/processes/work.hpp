// SPDX-License-Identifier: Apache-2.0
// Many commands that do nothing, two at a time, by a program that gets a line of input for each.
#pragma once

#include <cstdlib>
#include <string>

#include "../common/main.hpp"

namespace bench {

/// Reports the seconds that the program takes, which runs `/bin/true` for each line of its input.
inline void run_with_lines(const Options& options, const std::string& program) {
  const std::string command = "seq " + std::to_string(options.get("tasks", 1'000)) + " | " + program;
  const Stopwatch watch;
  if (std::system(command.c_str()) != 0) std::abort();
  report("s", watch.seconds());
}

}  // namespace bench
