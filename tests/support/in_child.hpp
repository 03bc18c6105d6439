// SPDX-License-Identifier: Apache-2.0
// Runs a piece of a test in a forked child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace tg::test {

/// The number that `f` returns in the child, or -1 if it did not get that far. The child ends without running
/// what is registered for the exit of the process.
template <class F>
int in_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) {
    int said = 99;
    try {
      said = f();
    } catch (...) {
    }
    ::_exit(said);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace tg::test
