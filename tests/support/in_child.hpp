// SPDX-License-Identifier: Apache-2.0
// Runs a piece of a test in a forked child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <threadgroup/errors.hpp>

namespace tg::test {

/// For a child, in which gtest's expectations would be lost.
#define REQUIRE_IN_CHILD(condition) \
  if (!(condition)) throw std::runtime_error(std::to_string(__LINE__) + ": " #condition)

/// Whether `f` throws `ForkedError`.
template <class F>
bool throws_forked(F&& f) {
  try {
    f();
  } catch (const ForkedError&) {
    return true;
  }
  return false;
}

/// Runs `f` in a forked child, which an alarm ends if it hangs. The child's exit status is the number that
/// `f` returns, 0 if it returns nothing, and 1 if it throws. What is registered for the exit does not run.
template <class F>
pid_t start_child(F&& f) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::alarm(60);
  int status = 1;
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
      f();
      status = 0;
    } else {
      status = f();
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "in the child: %s\n", e.what());
  } catch (...) {
    std::fputs("in the child: an exception of another type\n", stderr);
  }
  ::_exit(status);
}

/// The child's wait status, once it has ended: 0 if its exit status is 0.
inline int status_of(pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

template <class F>
int in_child(F&& f) {
  return status_of(start_child(f));
}

}  // namespace tg::test
