// SPDX-License-Identifier: Apache-2.0
// A task that runs on the stack of the one that waits for it: how deep, and what it must not see there.
#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <stdexcept>

#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace inline_task_test {
namespace {

// Uses so much stack in each call.
constexpr std::size_t kFrame = 160 * 1024;

int descend(ThreadGroup& group, int depth) {
  volatile char frame[kFrame];
  for (std::size_t i = 0; i < kFrame; i += 1024) frame[i] = 1;
  if (depth > 0)
    return group.add_task([&group, depth] { return descend(group, depth - 1); }).get() + frame[0];
  return frame[1024];
}

TEST(InlineTask, large_frames_do_not_overflow_the_stack) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  EXPECT_EQ(group.add_task([&] { return descend(group, 200); }).get(), 201);
}

TEST(InlineTask, sees_no_exception_that_its_waiter_handles) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  const auto waits_in_handler = [&] {
    try {
      throw std::runtime_error("the waiter's");
    } catch (const std::exception&) {
      return group.add_task([] { return std::current_exception() == nullptr; }).get();
    }
  };
  EXPECT_TRUE(group.add_task(waits_in_handler).get());
}

TEST(InlineTask, sees_no_exception_that_passes_its_waiter) {
  ThreadGroup group("one slot", {.max_concurrent_threads = 1});
  struct WaitsAtTheEnd {
    ThreadGroup& group;
    int& seen;
    ~WaitsAtTheEnd() {
      seen = group.add_task([] { return std::uncaught_exceptions(); }).get();
    }
  };
  const auto fails = [&] {
    int seen = -1;
    try {
      const WaitsAtTheEnd waits{group, seen};
      throw std::runtime_error("the waiter's");
    } catch (const std::exception&) {
    }
    return seen;
  };
  EXPECT_EQ(group.add_task(fails).get(), 0);
}

}  // namespace
}  // namespace inline_task_test
}  // namespace tg
