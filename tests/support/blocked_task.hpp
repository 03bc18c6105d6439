// SPDX-License-Identifier: Apache-2.0
// A task that is in a blocking call.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <utility>

#include <threadgroup/thread_group.hpp>

#include "support/eventually.hpp"
#include "support/threads_asleep.hpp"

namespace tg::test {

/// A task of the group whose thread was seen asleep after it entered `call`.
///
///     ThreadGroup group("readers");
///     const BlockedTask task(group, [&] { EXPECT_EQ(posix::read(pipe.reading(), &byte, 1), -1); });
///     group.set_event("stop");
///
/// Lifetime: what the functions refer to outlives the task; the object need not.
class [[maybe_unused]] BlockedTask {
 public:
  template <class Call>
  BlockedTask(ThreadGroup& group, Call call)
      : BlockedTask(
            group, [] {}, std::move(call)) {}
  /// `before` runs first, on the same thread.
  template <class Before, class Call>
  BlockedTask(ThreadGroup& group, Before before, Call call) {
    std::atomic<int> thread{0};
    group.post([&thread, before = std::move(before), call = std::move(call)]() mutable {
      before();
      thread = this_thread_number();
      call();
    });
    eventually([&] { return thread != 0 && is_asleep(thread); });
    thread_ = thread;
  }
  BlockedTask(const BlockedTask&) = delete;
  BlockedTask& operator=(const BlockedTask&) = delete;
  ~BlockedTask() = default;

  /// Its number.
  int thread() const { return thread_; }

 private:
  int thread_ = 0;
};

/// Runs `block` in a task, and stops it when it is asleep there.
template <class F>
void stop_while_asleep(F block) {
  ThreadGroup group("blocked");
  const BlockedTask task(group, block);
  group.set_event("stop");
  EXPECT_TRUE(group.join().failures.empty());
}

}  // namespace tg::test
