// SPDX-License-Identifier: Apache-2.0
// Tests of the signal that takes threads out of their calls.
#pragma once

#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "runtime/stoppable_call.hpp"
#include "support/eventually.hpp"
#include "support/signal_handler.hpp"

namespace tg::test {

/// Skipped where calls poll, without that signal.
class SignalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!runtime::kHasStoppableCalls) GTEST_SKIP() << "calls poll, without a signal";
  }
};

/// Of the calling thread.
inline void block_all_signals(sigset_t* before = nullptr) {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, before);
}

constexpr const char* kHandlersWait =
    "the sanitizer keeps a handler of the program until the thread has left the call";

/// A handler of the program (SIGUSR2) that was seen to interrupt the thread, and spins there until `let_return`. One at a time.
class SpinningHandler {
 public:
  explicit SpinningHandler(int thread) : handler_(SIGUSR2, &spin) {
    is_in_ = may_return_ = false;
    ::syscall(SYS_tgkill, ::getpid(), thread, SIGUSR2);
    eventually([] { return is_in_.load(); });
  }
  void let_return() { may_return_ = true; }

 private:
  static void spin(int) {
    is_in_ = true;
    while (!may_return_) {
    }
  }
  static inline constinit std::atomic<bool> is_in_{false};
  static inline constinit std::atomic<bool> may_return_{false};
  const SignalHandler handler_;
};

}  // namespace tg::test
