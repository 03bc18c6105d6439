// SPDX-License-Identifier: Apache-2.0
// A handler that a test installs for a while.
#pragma once

#include <csignal>

namespace tg::test {

/// The program's handler of a signal, for as long as the object lives. Unless the flags say otherwise, it restarts the
/// calls that it interrupts.
class SignalHandler {
 public:
  SignalHandler(int number, void (*handler)(int), int flags = SA_RESTART) : number_(number) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigaction(number_, &action, &before_);
  }
  SignalHandler(int number, void (*handler)(int, siginfo_t*, void*), int flags = SA_RESTART)
      : number_(number) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = flags | SA_SIGINFO;
    ::sigaction(number_, &action, &before_);
  }
  ~SignalHandler() { ::sigaction(number_, &before_, nullptr); }
  SignalHandler(const SignalHandler&) = delete;
  SignalHandler& operator=(const SignalHandler&) = delete;

 private:
  const int number_;
  struct sigaction before_ {};
};

}  // namespace tg::test
