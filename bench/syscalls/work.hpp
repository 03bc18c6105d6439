// SPDX-License-Identifier: Apache-2.0
// Reads of 64 bytes from a pipe that has them, and threads that are blocked in calls and stopped all at once.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "../common/main.hpp"

namespace bench {

/// A pipe. It stays open until the process ends.
struct Pipe {
  Pipe() {
    if (::pipe(ends.data()) != 0) std::abort();
  }
  std::array<int, 2> ends{};
};

/// `read(fd, buffer, bytes)` gets 64 bytes of a pipe that has them. The best of several rounds, without the writing.
template <class Read>
double ns_per_ready_read(std::int64_t calls, Read read) {
  const Pipe pipe;
  std::array<char, 64> bytes{};
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < 10; ++round) {
    double total = 0;
    for (std::int64_t done = 0; done < calls; done += 512) {
      for (int i = 0; i < 512; ++i)
        if (::write(pipe.ends[1], bytes.data(), bytes.size()) != 64) std::abort();
      const Stopwatch watch;
      for (int i = 0; i < 512; ++i)
        if (read(pipe.ends[0], bytes.data(), bytes.size()) != 64) std::abort();
      total += watch.nanoseconds();
    }
    best = std::min(best, total / static_cast<double>((calls + 511) / 512 * 512));
  }
  return best;
}

}  // namespace bench
