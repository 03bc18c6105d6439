// SPDX-License-Identifier: Apache-2.0
// Tests that begin and end with an empty thread cache, or that let no thread be used twice.
#pragma once

#include <gtest/gtest.h>

#include "runtime/faults.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"

#include "support/eventually.hpp"

namespace tg::test {

/// The cache has no thread at the begin of the test, and none is left for the next one.
class EmptyThreadCache : public testing::Test {
 protected:
  void SetUp() override { start_empty(); }
  void TearDown() override {
    runtime::faults::refuse_threads(0);
    cache.set_limits(runtime::ThreadCache::kDefaultMaxIdle, runtime::ThreadCache::kDefaultIdleTime);
    start_empty();
  }
  // Threads that are still on their way out of a job become idle first.
  void start_empty() {
    eventually([&] {
      cache.retire_idle_threads(runtime::now());
      return cache.statistics().threads == 0;
    });
  }
  // Waits until the jobs have ended, so that what they use may be destroyed.
  void settle() {
    eventually([&] {
      const auto s = cache.statistics();
      return s.idle == s.threads;
    });
  }

  runtime::ThreadCache& cache = runtime::ThreadCache::instance();
};

/// Each worker needs a new thread, which the test may refuse it.
class NoIdleThreads : public testing::Test {
 protected:
  void SetUp() override {
    cache.set_limits(0, runtime::ThreadCache::kDefaultIdleTime);
    // Threads on their way out might still take a job.
    eventually([&] { return cache.statistics().threads == 0; });
  }
  void TearDown() override {
    runtime::faults::refuse_threads(0);
    cache.set_limits(runtime::ThreadCache::kDefaultMaxIdle, runtime::ThreadCache::kDefaultIdleTime);
  }

  runtime::ThreadCache& cache = runtime::ThreadCache::instance();
};

}  // namespace tg::test
