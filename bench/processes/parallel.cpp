// SPDX-License-Identifier: Apache-2.0
// GNU parallel, two at a time.
#include "work.hpp"

void bench::run(const Options& options) { run_with_lines(options, "parallel -j 2 /bin/true"); }
