// SPDX-License-Identifier: Apache-2.0
// The smallest header with which a program can use task groups.
#include "compile.hpp"

void bench::run(const Options& options) { measure_include(options, "tbb/task_group.h"); }
