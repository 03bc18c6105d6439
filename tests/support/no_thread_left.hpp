// SPDX-License-Identifier: Apache-2.0
// A fixture in which the system refuses threads.
#pragma once

#include <gtest/gtest.h>

#include <latch>

#include <threadgroup/thread_group.hpp>

#include "runtime/faults.hpp"
#include "runtime/threads.hpp"

#include "support/eventually.hpp"

namespace tg::test {

// One task of a group is blocked and others are pending, for which the system has no thread: then only a join
// or a wait can run these.
class NoThreadLeft : public testing::Test {
 protected:
  void SetUp() override {
    cache.set_limits(0, runtime::ThreadCache::kDefaultIdleTime);
    eventually([&] { return cache.statistics().threads == 0; });
  }
  void TearDown() override {
    runtime::faults::refuse_threads(0);
    cache.set_limits(runtime::ThreadCache::kDefaultMaxIdle, runtime::ThreadCache::kDefaultIdleTime);
  }
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
  runtime::ThreadCache& cache = runtime::ThreadCache::instance();
};

}  // namespace tg::test
