// SPDX-License-Identifier: Apache-2.0
// How much memory the process has that is really there.
#pragma once

#include <cstdint>
#include <cstdio>

namespace bench {

inline std::int64_t resident_bytes() {
  long pages = 0;
  long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return std::int64_t{resident} * 4096;
}

}  // namespace bench
