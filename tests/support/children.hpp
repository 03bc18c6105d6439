// SPDX-License-Identifier: Apache-2.0
// Children for tests of waits.
#pragma once

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace tg::test {

/// A child that waits for a signal. It is killed and reaped with its object, and killed if the thread that made it ends.
class SleepingChild {
 public:
  SleepingChild() : number_(::fork()) {
    if (number_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    for (;;) ::pause();
  }
  ~SleepingChild() {
    ::kill(number_, SIGKILL);
    ::waitpid(number_, nullptr, 0);
  }
  SleepingChild(const SleepingChild&) = delete;
  SleepingChild& operator=(const SleepingChild&) = delete;
  pid_t number() const { return number_; }

 private:
  const pid_t number_;
};

/// A child that has ended, and is still to be reaped.
inline pid_t ended_child(int exit_status) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(exit_status);
  siginfo_t ended{};
  if (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) != 0)
    throw std::system_error(errno, std::generic_category(), "waitid");
  return child;
}

}  // namespace tg::test
