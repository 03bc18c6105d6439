// SPDX-License-Identifier: Apache-2.0
// The example run_commands, two at a time.
#include "work.hpp"

void bench::run(const Options& options) {
  run_with_lines(options, TG_RUN_COMMANDS " -j 2 -- /bin/true 2>/dev/null");
}
