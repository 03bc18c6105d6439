// SPDX-License-Identifier: Apache-2.0
// Another process that keeps a processor busy for as long as the object lives.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace bench {

class BusyNeighbour {
 public:
  /// Forks, so it is made before the program has threads.
  explicit BusyNeighbour(bool wanted) {
    if (!wanted) return;
    child_ = ::fork();
    if (child_ < 0) std::abort();
    if (child_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) asm volatile("" ::: "memory");  // the compiler keeps it
  }
  ~BusyNeighbour() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  BusyNeighbour(const BusyNeighbour&) = delete;
  BusyNeighbour& operator=(const BusyNeighbour&) = delete;

 private:
  pid_t child_ = -1;
};

}  // namespace bench
