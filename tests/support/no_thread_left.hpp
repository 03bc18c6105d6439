// SPDX-License-Identifier: Apache-2.0
// A fixture in which the system refuses threads.
#pragma once

#include <gtest/gtest.h>

#include <latch>

#include <threadgroup/thread_group.hpp>

#include "runtime/faults.hpp"

#include "support/thread_cache.hpp"

namespace tg::test {

// One task of a group is blocked and others are pending, for which the system has no thread: then only a join
// or a wait can run these.
class NoThreadLeft : public NoIdleThreads {
 protected:
  // A task that runs until `go`. Afterwards the system refuses threads.
  void block(ThreadGroup& group) {
    std::latch running(1);
    group.post([&] {
      running.count_down();
      go.wait();
    });
    running.wait();
    runtime::faults::refuse_threads(1'000'000);
  }

  std::latch go{1};
};

}  // namespace tg::test
