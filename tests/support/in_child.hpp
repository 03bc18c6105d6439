// SPDX-License-Identifier: Apache-2.0
// Runs a piece of a test in a forked child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

#include <threadgroup/errors.hpp>

#include "base/sanitizers.hpp"
#include "support/threads_asleep.hpp"

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

/// A child that is forked while another thread starts or allocates inherits locks of AddressSanitizer, and then waits for
/// them forever. Tests whose other threads never sleep go on after a second.
inline void let_others_leave_the_sanitizer() {
  if (!TG_ADDRESS_SANITIZER) return;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (!others_are_asleep() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

/// Why ThreadSanitizer cannot run a test: it ends such a child when that starts a thread.
constexpr const char* kNoThreadsInChild = "under the sanitizer a child of several threads starts none";

/// Runs `f` in a forked child, which an alarm ends if it hangs. The child's exit status is the number that
/// `f` returns, 0 if it returns nothing, and 1 if it throws. What is registered for the exit does not run.
template <class F>
pid_t start_child(F&& f) {
  let_others_leave_the_sanitizer();
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
