// SPDX-License-Identifier: Apache-2.0
// The least that a program of groups includes.
#include "compile.hpp"

void bench::run(const Options& options) { measure_include(options, "tbb/task_group.h"); }
