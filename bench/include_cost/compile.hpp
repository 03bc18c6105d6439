// SPDX-License-Identifier: Apache-2.0
// The time that a compiler needs for a source that only includes a header.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

#include "../common/main.hpp"

namespace bench {

/// Processor time of all child processes so far.
inline double seconds_of_children() {
  rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// The best of several runs, for other work on the machine only ever makes a run slower.
inline void measure_include(const Options& options, const std::string& header) {
  const std::string command = "echo '#include <" + header +
                              ">' | '" TG_COMPILER "' -std=c++20 -I'" TG_INCLUDE "' -fsyntax-only -x c++ -";
  double best = std::numeric_limits<double>::max();
  for (std::int64_t i = 0; i < options.get("repeats", 5); ++i) {
    const double before = seconds_of_children();
    if (std::system(command.c_str()) != 0) std::abort();
    best = std::min(best, seconds_of_children() - before);
  }
  report("ms", best * 1e3);
}

}  // namespace bench
