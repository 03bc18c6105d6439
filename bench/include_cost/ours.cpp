// SPDX-License-Identifier: Apache-2.0
// Everything but the vault.
#include "compile.hpp"

void bench::run(const Options& options) { measure_include(options, "threadgroup/core.hpp"); }
