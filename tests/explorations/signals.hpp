// SPDX-License-Identifier: Apache-2.0
// What bodies wait with: a meeting of several flows, and a flag.
#pragma once

#include <threadgroup/detail/wait_queue.hpp>

#include "event/wait.hpp"

namespace tg::test {

/// This many flows wait for each other.
class Meeting {
 public:
  explicit Meeting(int flows) : missing_(flows) {}
  void join() {
    missing_.fetch_sub(1);
    waiters_.release_all();
    static_cast<void>(detail::wait(
        waiters_, [this] { return missing_.load() <= 0; }, {}, TimePoint::never()));
  }

 private:
  detail::Atomic<int> missing_;
  detail::WaitQueue waiters_;
};

/// A flag that flows wait for. It outlives `send`, which may go on for a while when the others see the flag.
class Signal {
 public:
  void send() {
    sent_.store(true);
    waiters_.release_all();
  }
  bool is_sent() const { return sent_.load(); }
  void wait() {
    static_cast<void>(detail::wait(
        waiters_, [this] { return sent_.load(); }, {}, TimePoint::never()));
  }

 private:
  detail::Atomic<bool> sent_{false};
  detail::WaitQueue waiters_;
};

}  // namespace tg::test
