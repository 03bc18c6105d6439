// SPDX-License-Identifier: Apache-2.0
// xargs, two at a time.
#include "work.hpp"

void bench::run(const Options& options) { run_with_lines(options, "xargs -n 1 -P 2 /bin/true"); }
