// SPDX-License-Identifier: Apache-2.0
// Results of all kinds: void, references, move-only, const, counted; each destroyed exactly once.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/thread_group.hpp>

namespace tg {
namespace results_test {
namespace {

TEST(Results, of_void) {
  ThreadGroup group;
  const TaskHandle<void> handle = group.add_task([] {});
  handle.get();
  handle.get();
}

TEST(Results, of_a_reference_are_that_object) {
  ThreadGroup group;
  int x = 1;
  const TaskHandle<int&> handle = group.add_task([&]() -> int& { return x; });
  EXPECT_EQ(&handle.get(), &x);
  handle.get() = 2;
  EXPECT_EQ(x, 2);
  EXPECT_EQ(&handle.view(), &x);
  const TaskHandle<const int&> constant = group.add_task([&]() -> const int& { return x; });
  EXPECT_EQ(&constant.get(), &x);
}

TEST(Results, of_an_rvalue_reference_can_be_moved_on) {
  ThreadGroup group;
  auto x = std::make_unique<int>(3);
  const TaskHandle<std::unique_ptr<int>&&> handle =
      group.add_task([&]() -> std::unique_ptr<int>&& { return std::move(x); });
  EXPECT_NE(x, nullptr);
  const std::unique_ptr<int> mine = handle.get();
  EXPECT_EQ(*mine, 3);
  EXPECT_EQ(x, nullptr);
}

TEST(Results, that_only_move_are_given_out_once) {
  ThreadGroup group;
  const TaskHandle<std::unique_ptr<int>> handle = group.add_task([] { return std::make_unique<int>(9); });
  EXPECT_EQ(*handle.view(), 9);
  const std::unique_ptr<int> mine = handle.get();
  EXPECT_EQ(*mine, 9);
  EXPECT_THROW(handle.get(), std::logic_error);
  const auto copy = handle;
  EXPECT_THROW(copy.get(), std::logic_error);
}

struct NoDefault {
  explicit NoDefault(int v) : value(v) {}
  int value;
};
struct NeitherCopiedNorMoved {
  explicit NeitherCopiedNorMoved(int v) : value(v) {}
  NeitherCopiedNorMoved(const NeitherCopiedNorMoved&) = delete;
  int value;
};

TEST(Results, need_no_default_constructor_and_no_move) {
  ThreadGroup group;
  EXPECT_EQ(group.add_task([] { return NoDefault(4); }).get().value, 4);
  const auto fixed = group.add_task([] { return NeitherCopiedNorMoved(5); });
  EXPECT_EQ(fixed.view().value, 5);
}

TEST(Results, of_const_and_aligned_types) {
  struct alignas(64) Aligned {
    int x = 6;
  };
  ThreadGroup group;
  const auto constant = group.add_task([]() -> const std::string { return "c"; });
  EXPECT_EQ(constant.get(), "c");
  const auto aligned = group.add_task([] { return Aligned{}; });
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&aligned.view()) % 64, 0u);
  EXPECT_EQ(aligned.get().x, 6);
}

struct Counted {
  inline static std::atomic<int> alive{0};
  Counted() { ++alive; }
  Counted(const Counted&) { ++alive; }
  ~Counted() { --alive; }
};

TEST(Results, live_as_long_as_a_handle_does) {
  TaskHandle<Counted> handle;
  {
    ThreadGroup group;
    handle = group.add_task([] { return Counted(); });
    EXPECT_EQ(handle.wait(), WaitOutcome::ready);
    group.add_task([] { return Counted(); });  // no handle is kept of this one
    EXPECT_TRUE(group.join());
    EXPECT_EQ(Counted::alive, 1);
  }
  EXPECT_EQ(Counted::alive, 1);
  {
    const Counted copy = handle.get();
    EXPECT_EQ(Counted::alive, 2);
  }
  handle = {};
  EXPECT_EQ(Counted::alive, 0);
}

TEST(Results, of_tasks_that_never_ran_are_never_made) {
  {
    ThreadGroup group;
    group.set_event();
    const auto skipped = group.add_task([] { return Counted(); });
    EXPECT_EQ(skipped.wait(), WaitOutcome::ready);
    const auto failed = ThreadGroup().add_task([]() -> Counted { throw std::runtime_error("x"); });
    EXPECT_EQ(failed.wait(), WaitOutcome::ready);
  }
  EXPECT_EQ(Counted::alive, 0);
}

struct ThrowsWhenCopied {
  ThrowsWhenCopied() = default;
  ThrowsWhenCopied(const ThrowsWhenCopied&) { throw std::runtime_error("copy"); }
};

TEST(Results, whose_copy_throws_throw_at_get_and_the_task_has_succeeded) {
  ThreadGroup group;
  const auto handle = group.add_task([] { return ThrowsWhenCopied(); });
  EXPECT_THROW(handle.get(), std::runtime_error);
  EXPECT_EQ(handle.status(), TaskStatus::succeeded);
  EXPECT_TRUE(group.join());
}

struct ThrowsWhenMoved {
  ThrowsWhenMoved() = default;
  ThrowsWhenMoved(ThrowsWhenMoved&&) { throw std::runtime_error("move"); }
};

TEST(Results, whose_move_throws_inside_the_task_make_it_fail) {
  ThreadGroup group;
  const auto handle = group.add_task([] {
    std::vector<ThrowsWhenMoved> one(1);
    return ThrowsWhenMoved(std::move(one[0]));
  });
  EXPECT_EQ(handle.wait(), WaitOutcome::ready);
  EXPECT_EQ(handle.status(), TaskStatus::failed);
  EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
}

TEST(Results, one_of_many_takers_gets_what_only_moves) {
  for (int round = 0; round < 100; ++round) {
    ThreadGroup group;
    const auto handle = group.add_task([] { return std::make_unique<int>(1); });
    std::atomic<int> got{0};
    std::atomic<int> refused{0};
    std::vector<std::thread> takers;
    for (int i = 0; i < 3; ++i) {
      takers.emplace_back([&] {
        try {
          got += *handle.get();
        } catch (const std::logic_error&) {
          ++refused;
        }
      });
    }
    for (auto& taker : takers) taker.join();
    EXPECT_EQ(got, 1);
    EXPECT_EQ(refused, 2);
  }
}

}  // namespace
}  // namespace results_test
}  // namespace tg
