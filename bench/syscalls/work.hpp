// SPDX-License-Identifier: Apache-2.0
// Reads of 64 bytes from a pipe that has them, and threads that are blocked in calls and stopped all at once.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "../common/main.hpp"

namespace bench {

/// A pipe. It stays open until the process ends.
struct Pipe {
  Pipe() {
    if (::pipe(ends.data()) != 0) std::abort();
  }
  std::array<int, 2> ends{};
};

/// A listening UNIX socket, to which no peer connects. It stays open until the process ends.
inline int listening_socket() {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Without a path the system chooses an unused name, which is no file.
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address.sun_family) != 0 ||
      ::listen(listener, 1) != 0)
    std::abort();
  return listener;
}

/// The result of `measure` in a forked child. Requires that the process has one thread.
template <class Measure>
double in_child(Measure measure) {
  const Pipe result;
  const pid_t child = ::fork();
  if (child == 0) {
    const double value = measure();
    ::_exit(::write(result.ends[1], &value, sizeof value) == sizeof value ? 0 : 1);
  }
  double value = 0;
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0 ||
      ::read(result.ends[0], &value, sizeof value) != sizeof value)
    std::abort();
  return value;
}

/// Two functions `read(fd, buffer, bytes)`, alternately, get 64 bytes of a pipe that has them. Returns the median of
/// each, without the writing.
template <class First, class Second>
std::array<double, 2> ns_per_ready_read(std::int64_t calls, First first, Second second) {
  constexpr int kBatch = 512;
  const Pipe pipe;
  std::array<char, 64> bytes{};
  const auto batch = [&](auto read) {
    for (int i = 0; i < kBatch; ++i)
      if (::write(pipe.ends[1], bytes.data(), bytes.size()) != 64) std::abort();
    const Stopwatch watch;
    for (int i = 0; i < kBatch; ++i)
      if (read(pipe.ends[0], bytes.data(), bytes.size()) != 64) std::abort();
    return watch.nanoseconds() / kBatch;
  };
  std::vector<double> firsts;
  std::vector<double> seconds;
  for (std::int64_t done = 0; done < calls; done += kBatch) {
    firsts.push_back(batch(first));
    seconds.push_back(batch(second));
  }
  const auto median = [](std::vector<double>& of) {
    const auto middle = of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2);
    std::nth_element(of.begin(), middle, of.end());
    return *middle;
  };
  return {median(firsts), median(seconds)};
}

}  // namespace bench
