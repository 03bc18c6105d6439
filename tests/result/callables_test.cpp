// SPDX-License-Identifier: Apache-2.0
// Callables of all kinds: what they are called with, when they are destroyed, and what they may throw.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

namespace tg {
namespace callables_test {
namespace {

int add(int a, int b) { return a + b; }
struct Account {
  int balance = 10;
  int plus(int by) const { return balance + by; }
};

TEST(Callables, functions_members_and_arguments) {
  ThreadGroup group;
  EXPECT_EQ(group.add_task(add, 2, 3).get(), 5);
  EXPECT_EQ(group.add_task(&add, 2, 4).get(), 6);
  EXPECT_EQ(group.add_task(&Account::plus, Account{}, 5).get(), 15);
  EXPECT_EQ(group.add_task(&Account::balance, Account{}).get(), 10);
  EXPECT_EQ(group.add_task(TaskName{"named"}, add, 1, 1).get(), 2);
  const std::function<int(int)> wrapped = [](int x) { return -x; };
  EXPECT_EQ(group.add_task(wrapped, 4).get(), -4);
}

TEST(Callables, arguments_are_copied_or_moved_in) {
  ThreadGroup group;
  std::string text = "abc";
  const auto copied = group.add_task([](const std::string& s) { return s.size(); }, text);
  text = "changed";
  EXPECT_EQ(copied.get(), 3u);
  EXPECT_EQ(group.add_task([](std::unique_ptr<int> p) { return *p; }, std::make_unique<int>(8)).get(), 8);
  EXPECT_EQ(group.add_task([p = std::make_unique<int>(7)] { return *p; }).get(), 7);
  int seen = 0;
  group.add_task([](int& out) { out = 1; }, std::ref(seen)).get();
  EXPECT_EQ(seen, 1);
}

struct MoveOnly {
  explicit MoveOnly(int v) : value(std::make_unique<int>(v)) {}
  int operator()() && { return *value; }  // callable once
  std::unique_ptr<int> value;
};

TEST(Callables, that_move_and_can_be_called_once) {
  ThreadGroup group;
  EXPECT_EQ(group.add_task(MoveOnly(4)).get(), 4);
  group.post(MoveOnly(4));
  EXPECT_TRUE(group.join());
}

TEST(Callables, that_take_a_stop_token_first_receive_the_groups) {
  ThreadGroup group;
  std::latch started(1);
  const auto handle = group.add_task(
      [&](std::stop_token token, int x) {
        started.count_down();
        while (!token.stop_requested()) std::this_thread::yield();
        return x;
      },
      5);
  started.wait();
  group.set_event();
  EXPECT_EQ(handle.get(), 5);
}

// Says when it is destroyed; a copy that was moved from says nothing.
struct AtEnd {
  std::function<void()> what;
  explicit AtEnd(std::function<void()> f) : what(std::move(f)) {}
  AtEnd(AtEnd&& o) noexcept : what(std::exchange(o.what, nullptr)) {}
  ~AtEnd() noexcept(false) {
    if (what) std::exchange(what, nullptr)();
  }
  void operator()() const {}
};

TEST(Callables, are_destroyed_before_their_task_counts_as_done) {
  for (int round = 0; round < 100; ++round) {
    ThreadGroup group;
    std::atomic<int> destroyed{0};
    const auto handle = group.add_task(AtEnd([&] { ++destroyed; }));
    EXPECT_EQ(handle.wait(), WaitOutcome::ready);
    EXPECT_EQ(destroyed, 1);
    group.post(AtEnd([&] { ++destroyed; }));
    EXPECT_TRUE(group.join());
    EXPECT_EQ(destroyed, 2);
  }
}

TEST(Callables, that_are_skipped_are_destroyed_uncalled) {
  std::atomic<int> destroyed{0};
  ThreadGroup group;
  group.set_event();
  const auto handle = group.add_task(AtEnd([&] { ++destroyed; }));
  group.post(AtEnd([&] { ++destroyed; }));
  EXPECT_EQ(destroyed, 2);
  EXPECT_EQ(handle.status(), TaskStatus::skipped);
}

TEST(Callables, destructor_that_throws_counts_as_that_tasks_failure) {
  ThreadGroup group;
  const auto handle = group.add_task(AtEnd([] { throw std::runtime_error("end"); }));
  EXPECT_EQ(handle.wait(), WaitOutcome::ready);
  EXPECT_EQ(handle.status(), TaskStatus::failed);
  EXPECT_THROW(handle.get(), std::runtime_error);
  group.post(AtEnd([] { throw std::range_error("posted"); }));
  EXPECT_THROW(static_cast<void>(group.join()), std::range_error);
  EXPECT_EQ(group.statistics().failed, 2u);
}

TEST(Callables, destructor_that_throws_after_a_result_takes_the_result_back) {
  struct Returns : AtEnd {
    using AtEnd::AtEnd;
    std::shared_ptr<int> token;
    std::shared_ptr<int> operator()() const { return token; }
  };
  const auto token = std::make_shared<int>(0);
  ThreadGroup group;
  Returns f([] { throw std::runtime_error("end"); });
  f.token = token;
  const auto handle = group.add_task(std::move(f));
  EXPECT_THROW(handle.get(), std::runtime_error);
  f.token.reset();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Callables, what_the_call_threw_comes_before_what_the_destructor_threw) {
  struct Twice : AtEnd {
    using AtEnd::AtEnd;
    void operator()() const { throw std::logic_error("call"); }
  };
  ThreadGroup group;
  const auto handle = group.add_task(Twice([] { throw std::runtime_error("end"); }));
  EXPECT_THROW(handle.get(), std::logic_error);
}

TEST(Callables, skipped_one_whose_destructor_throws_has_failed) {
  ThreadGroup group;
  group.set_event();
  const auto handle = group.add_task(AtEnd([] { throw std::runtime_error("end"); }));
  EXPECT_EQ(handle.status(), TaskStatus::failed);
  EXPECT_EQ(group.wait_idle().failures.size(), 1u);
}

TEST(Callables, destructors_may_add_tasks) {
  std::atomic<int> ran{0};
  {
    ThreadGroup group("g", {.max_concurrent_threads = 1});
    group.post(AtEnd([&] { group.post(AtEnd([&] { group.post([&] { ++ran; }); })); }));
    EXPECT_TRUE(group.join());
    EXPECT_EQ(ran, 1);
  }
  ThreadGroup stopped;
  stopped.set_event();
  TaskHandle<void> inner;
  stopped.post(AtEnd([&] { inner = stopped.add_task([&] { ++ran; }); }));
  EXPECT_EQ(inner.status(), TaskStatus::skipped);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(stopped.statistics().skipped, 2u);
}

TEST(Callables, destructors_of_skipped_ones_may_use_the_group) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::latch started(1);
  group.post([&] {
    started.count_down();
    while (!thread_utils::event_is_set()) std::this_thread::yield();
  });
  std::string seen;
  group.post(AtEnd([&] {
    seen = group.path() + " " + std::to_string(group.statistics().total());
    group.notify();
  }));
  started.wait();
  group.set_event();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(seen, "MainThread/g 2");
}

struct ThrowsWhenCopied {
  ThrowsWhenCopied() = default;
  ThrowsWhenCopied(const ThrowsWhenCopied&) { throw std::runtime_error("copy"); }
  void operator()() const {}
};

TEST(Callables, whose_copy_throws_add_nothing) {
  ThreadGroup group;
  const ThrowsWhenCopied f;
  EXPECT_THROW(group.add_task(f), std::runtime_error);
  EXPECT_THROW(group.post(f), std::runtime_error);
  EXPECT_EQ(group.statistics().total(), 0u);
}

}  // namespace
}  // namespace callables_test
}  // namespace tg
