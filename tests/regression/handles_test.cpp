// SPDX-License-Identifier: Apache-2.0
// Results that were taken from under a reader, and handles of no task.
#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/threadgroup.hpp>

namespace handles_test {
namespace {

using tg::TaskHandle;
using tg::ThreadGroup;

// A value whose copying can be held up in the middle.
struct Slow {
  static inline std::atomic<bool> hold{false};
  static inline std::counting_semaphore<64> begun{0};
  static inline std::counting_semaphore<64> go{0};

  explicit Slow(std::string t) : text(std::move(t)) {}
  Slow(const Slow& other) : text() {
    if (hold) {
      begun.release();
      go.acquire();
    }
    text = other.text;
  }
  Slow(Slow&&) noexcept = default;
  std::string text;
};

TEST(Handles, take_leaves_a_result_that_another_thread_is_copying) {
  ThreadGroup group("group");
  const auto handle = group.add_task([] { return Slow("a text too long for the inside of a string"); });
  static_cast<void>(handle.wait());
  Slow::hold = true;
  std::string copied;
  std::thread copies([&copied, handle] { copied = handle.get().text; });
  Slow::begun.acquire();
  EXPECT_THROW(handle.take(), std::logic_error);
  Slow::hold = false;
  Slow::go.release();
  copies.join();
  EXPECT_EQ(copied, "a text too long for the inside of a string");
  EXPECT_EQ(handle.take().text, "a text too long for the inside of a string");  // no handle copies any more
  EXPECT_THROW(handle.get(), std::logic_error);
}

TEST(Handles, take_leaves_a_result_that_was_shown_while_there_is_another_handle) {
  ThreadGroup group("group");
  const auto handle =
      group.add_task([] { return std::string("a text too long for the inside of a string"); });
  {
    const auto other = handle;
    const std::string& shown = handle.view();
    EXPECT_THROW(other.take(), std::logic_error);
    EXPECT_EQ(shown, "a text too long for the inside of a string");
    EXPECT_EQ(other.get(), shown);
  }
  EXPECT_EQ(handle.take(), "a text too long for the inside of a string");  // no other can be looking
}

TEST(Handles, a_result_that_was_taken_is_not_shown) {
  ThreadGroup group("group");
  const auto handle = group.add_task([] { return std::string("once"); });
  EXPECT_EQ(handle.take(), "once");
  EXPECT_THROW(handle.view(), std::logic_error);
  const auto number = group.add_task([] { return 7; });
  EXPECT_EQ(number.view(), 7);
  EXPECT_EQ(number.take(), 7);  // moving it changes nothing
  EXPECT_THROW(number.view(), std::logic_error);
}

TEST(Handles, any_number_of_threads_may_copy_at_a_time) {
  ThreadGroup group("group");
  const auto handle = group.add_task([] { return std::string(100, 'x'); });
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 40; ++i) {  // more than are counted
    threads.emplace_back([&right, handle] {
      for (int k = 0; k < 50; ++k) right += handle.get() == std::string(100, 'x') ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 2000);
}

TEST(Handles, take_leaves_a_result_that_more_threads_are_copying_than_are_counted) {
  ThreadGroup group("group");
  const auto handle = group.add_task([] { return Slow("a text too long for the inside of a string"); });
  static_cast<void>(handle.wait());
  Slow::hold = true;
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  constexpr int kCopies = 32;  // five bits count them
  for (int i = 0; i < kCopies; ++i) {
    threads.emplace_back([&right, handle] {
      right += handle.get().text == "a text too long for the inside of a string" ? 1 : 0;
    });
  }
  for (int i = 0; i < kCopies; ++i) Slow::begun.acquire();
  EXPECT_THROW(handle.take(), std::logic_error);
  Slow::hold = false;
  Slow::go.release(kCopies);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kCopies);
}

// For ThreadSanitizer: whichever of the two comes first, neither sees the other's half.
TEST(Handles, get_against_take_is_no_race) {
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  for (int round = 0; round < 300; ++round) {
    const auto handle = group.add_task([] { return std::vector<std::string>(20, std::string(50, 'x')); });
    std::atomic<int> refused{0};
    const auto check = [&refused](auto&& look) {
      try {
        const std::vector<std::string> got = look();
        EXPECT_EQ(got.size(), 20u);
        EXPECT_EQ(got.back(), std::string(50, 'x'));
      } catch (const std::logic_error&) {
        ++refused;
      }
    };
    std::thread takes([&, handle] { check([&] { return handle.take(); }); });
    check([&] { return handle.get(); });
    takes.join();
    EXPECT_LE(refused, 1) << "both were refused";
  }
}

TEST(Handles, without_a_task_they_say_so) {
  const TaskHandle<int> none;
  EXPECT_FALSE(none.valid());
  EXPECT_THROW(static_cast<void>(none.status()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.done()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.name()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.reason()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.exception()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.wait()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.wait(std::chrono::seconds(1))), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.get()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.take()), std::logic_error);
  EXPECT_THROW(static_cast<void>(none.view()), std::logic_error);
  EXPECT_THROW(TaskHandle<void>().get(), std::logic_error);
  EXPECT_THROW(TaskHandle<int&>().get(), std::logic_error);
  try {
    static_cast<void>(none.get());
  } catch (const std::logic_error& error) {
    EXPECT_NE(std::string(error.what()).find("add_task"), std::string::npos) << error.what();
  }

  ThreadGroup group("group");
  TaskHandle<int> moved_from = group.add_task([] { return 1; });
  const TaskHandle<int> to = std::move(moved_from);
  EXPECT_EQ(to.get(), 1);
  EXPECT_THROW(static_cast<void>(moved_from.status()), std::logic_error);
  EXPECT_THROW(tg::as_completed(std::vector{to, none}), std::logic_error);
}

}  // namespace
}  // namespace handles_test
