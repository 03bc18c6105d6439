// SPDX-License-Identifier: Apache-2.0
// A task that a stop takes out of a `read`.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "support/blocked_task.hpp"
#include "support/pipe.hpp"

namespace tg::test {

/// A task in a group of its own that was seen to read from an empty pipe, and expects that a stop ends the call.
///
///     ReadingTask task;
///     task.stop();
class ReadingTask {
 public:
  ReadingTask() : ReadingTask([] {}) {}
  /// `before` runs first, in the task.
  template <class Before>
  explicit ReadingTask(Before before)
      : task_(group_, std::move(before), [this] {
          char byte = 0;
          EXPECT_EQ(posix::read(pipe_.reading(), &byte, 1), -1);
          EXPECT_EQ(errno, ECANCELED);
        }) {}

  int thread() const { return task_.thread(); }
  void set_event() { group_.set_event("stop"); }
  /// Returns once it has ended.
  void stop() {
    set_event();
    EXPECT_TRUE(group_.join().failures.empty());
  }

 private:
  const Pipe pipe_;
  ThreadGroup group_{"reading"};
  const BlockedTask task_;
};

}  // namespace tg::test
