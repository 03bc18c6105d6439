// SPDX-License-Identifier: Apache-2.0
// Failures that were delivered through handles do not pile up behind one that was not.
#include <gtest/gtest.h>

#include <atomic>

#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace failures_test {
namespace {

struct Counted {
  inline static std::atomic<int> alive{0};
  Counted() { ++alive; }
  Counted(const Counted&) { ++alive; }
  ~Counted() { --alive; }
};

TEST(Failures, delivered_ones_are_released_behind_one_that_is_not) {
  ThreadGroup group("failing", {.max_concurrent_threads = 1});
  group.post([] { throw Counted(); });
  for (int i = 0; i < 2'000; ++i) {
    const auto handle = group.add_task([] { throw Counted(); });
    EXPECT_THROW(handle.get(), Counted);
  }
  EXPECT_LE(Counted::alive.load(), 16);
  EXPECT_THROW(group.join(), Counted);
}

}  // namespace
}  // namespace failures_test
}  // namespace tg
