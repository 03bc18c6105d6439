// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as an event: a signal becomes the reason why everything stops.
#pragma once

#include <atomic>
#include <csignal>

#include <threadgroup/threadgroup.hpp>

namespace verify_users {

// While one lives, the first SIGINT or SIGTERM sets the event of the whole forest, with the signal as its
// reason, and the second one ends the process at once.
//
// Requires: made before the process has any other thread, because threads inherit the blocked signals.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  // The signal that stopped everything; 0 before one came.
  int signal() const { return signal_.load(); }

 private:
  void watch();

  const sigset_t before_;  // first: blocks the signals before anything else can start a thread
  int signals_ = -1;       // a signal can be read here
  int end_ = -1;           // can be read once the watch is over
  std::atomic<int> signal_{0};
  tg::ThreadGroup group_;
};

}  // namespace verify_users
