// SPDX-License-Identifier: Apache-2.0
// The end of groups: the destructor, failures that no caller has seen, and forked children.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg {
namespace end_test {
namespace {

using namespace std::chrono_literals;

class Ends : public testing::Test {
 protected:
  void SetUp() override {
    set_unseen_failure_handler([this](const std::string& path, const Failure& failure) {
      unseen.push_back(path + "|" + failure.task + "|" + describe_exception(failure.exception));
    });
  }
  void TearDown() override { set_unseen_failure_handler({}); }
  std::vector<std::string> unseen;
};

TEST_F(Ends, destructor_sets_the_event_and_joins) {
  std::optional<Reason> seen;
  std::atomic<bool> over{false};
  std::latch started(1);
  {
    ThreadGroup group("g");
    group.post([&] {
      started.count_down();
      EXPECT_FALSE(thread_utils::event_aware_sleep(std::chrono::hours::max()));
      seen = thread_utils::reason();
      over = true;
    });
    started.wait();
  }
  EXPECT_TRUE(over);
  EXPECT_EQ(seen->kind, ReasonKind::destroyed);
  EXPECT_EQ(seen->origin_path, "MainThread/g");
  EXPECT_TRUE(unseen.empty());
}

TEST_F(Ends, destructor_skips_what_is_pending) {
  TaskHandle<void> pending;
  {
    std::latch started(1);
    ThreadGroup group("g", {.max_concurrent_threads = 1});
    group.post([&] {
      started.count_down();
      EXPECT_FALSE(thread_utils::event_aware_sleep(std::chrono::hours::max()));
    });
    pending = group.add_task([] {});
    started.wait();
  }
  EXPECT_EQ(pending.status(), TaskStatus::skipped);
}

TEST_F(Ends, destructor_never_throws_and_unseen_failures_go_to_the_handler) {
  {
    ThreadGroup group("g", {.max_concurrent_threads = 1});
    group.add_task(TaskName{"bad"}, [] { throw std::runtime_error("disk full"); });
    group.post([] { throw 3; });
    static_cast<void>(group.add_task([] {}).wait());
  }
  EXPECT_EQ(unseen, (std::vector<std::string>{"MainThread/g|bad|disk full",
                                              "MainThread/g|task 2|an exception of type int"}));
}

TEST_F(Ends, failures_that_a_join_or_a_handle_has_seen_are_not_told_again) {
  {
    ThreadGroup group("g", {.max_concurrent_threads = 1});
    group.post([] { throw std::runtime_error("joined"); });
    EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
    EXPECT_THROW(group.add_task([] { throw std::runtime_error("got"); }).get(), std::runtime_error);
    group.post([] { throw std::runtime_error("in result"); });
    EXPECT_EQ(group.wait_idle().failures.size(), 1u);
  }
  EXPECT_TRUE(unseen.empty());
}

TEST_F(Ends, default_handler_writes_group_task_and_what_to_stderr) {
  set_unseen_failure_handler({});
  testing::internal::CaptureStderr();
  {
    ThreadGroup group("users");
    static_cast<void>(group.add_task(TaskName{"bad"}, [] { throw std::runtime_error("disk full"); }).wait());
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("'bad'"), std::string::npos) << text;
  EXPECT_NE(text.find("MainThread/users"), std::string::npos) << text;
  EXPECT_NE(text.find("disk full"), std::string::npos) << text;
}

TEST_F(Ends, handler_that_throws_is_reported_and_the_destructor_goes_on) {
  int calls = 0;
  set_unseen_failure_handler([&](const std::string&, const Failure&) {
    ++calls;
    throw std::runtime_error("handler");
  });
  testing::internal::CaptureStderr();
  {
    ThreadGroup group("g");
    for (int i = 0; i < 2; ++i) group.post([] { throw 1; });
    while (!group.statistics().idle()) std::this_thread::yield();
  }
  EXPECT_EQ(calls, 2);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("handler"), std::string::npos);
}

TEST_F(Ends, setting_a_handler_returns_the_one_before) {
  int first = 0;
  set_unseen_failure_handler([&](const std::string&, const Failure&) { ++first; });
  const UnseenFailureHandler before = set_unseen_failure_handler({});
  ASSERT_TRUE(before);
  before("", Failure{});
  EXPECT_EQ(first, 1);
  EXPECT_FALSE(set_unseen_failure_handler({}));
}

TEST_F(Ends, group_destroyed_by_its_own_task_is_reported_and_no_thread_hangs) {
  auto group = std::make_unique<ThreadGroup>("g", GroupOptions{.max_concurrent_threads = 1});
  std::latch ready(1);
  const auto killer = group->add_task([&] {
    ready.wait();
    group.reset();
    return thread_utils::event_is_set();
  });
  const auto pending = group->add_task([] {});
  ready.count_down();
  EXPECT_TRUE(killer.get());
  EXPECT_EQ(pending.status(), TaskStatus::skipped);
  ASSERT_EQ(unseen.size(), 1u);
  EXPECT_NE(unseen[0].find("MainThread/g"), std::string::npos) << unseen[0];
  test::eventually([] { return ThreadEventsController::instance().snapshot().nodes.empty(); });
}

TEST_F(Ends, failures_of_a_group_destroyed_by_its_own_task_are_reported_too) {
  auto group = std::make_unique<ThreadGroup>("g");
  std::latch ready(1);
  const auto killer = group->add_task(TaskName{"killer"}, [&] {
    ready.wait();
    group.reset();
    throw std::runtime_error("last words");
  });
  ready.count_down();
  EXPECT_EQ(killer.wait(), WaitOutcome::ready);
  test::eventually([] { return ThreadEventsController::instance().snapshot().nodes.empty(); });
  ASSERT_EQ(unseen.size(), 2u);
  EXPECT_NE(unseen[1].find("killer|last words"), std::string::npos) << unseen[1];
}

TEST_F(Ends, child_of_a_fork_sees_an_empty_forest) {
  std::latch go(1);
  ThreadGroup group("parent's");
  group.post([&] { go.wait(); });
  EXPECT_EQ(test::in_child([&] {
              const ThreadGroup own("child's");
              const auto snapshot = ThreadEventsController::instance().snapshot();
              return snapshot.find("parent's") == nullptr && snapshot.nodes.size() == 2 &&
                             own.path() == "MainThread/child's"
                         ? 0
                         : 1;
            }),
            0);
  go.count_down();
}

TEST_F(Ends, inherited_group_is_a_clear_error_in_the_child_and_not_a_hang) {
  std::latch go(1);
  ThreadGroup group("parent's");
  const auto unfinished = group.add_task([&] { go.wait(); });
  const auto finished = group.add_task([] { return 4; });
  EXPECT_EQ(finished.get(), 4);
  const auto refused = [](auto call) {
    try {
      call();
      return false;
    } catch (const ForkedError&) {
      return true;
    }
  };
  EXPECT_EQ(test::in_child([&] {
              int wrong = 0;
              if (!refused([&] { group.add_task([] {}); })) wrong |= 1;
              if (!refused([&] { group.post([] {}); })) wrong |= 1;
              if (!refused([&] { static_cast<void>(group.join()); })) wrong |= 2;
              if (!refused([&] { static_cast<void>(group.wait_idle(0s)); })) wrong |= 2;
              if (!refused([&] { group.set_event(); })) wrong |= 4;
              if (!refused([&] { group.notify(); })) wrong |= 8;
              if (!refused([&] { static_cast<void>(group.statistics()); })) wrong |= 16;
              if (!refused([&] { static_cast<void>(group.get_stop_token()); })) wrong |= 16;
              if (!refused([&] { static_cast<void>(unfinished.wait()); })) wrong |= 32;
              if (finished.get() != 4) wrong |= 64;  // what was done before the fork is there
              return wrong;
            }),
            0);
  go.count_down();
}

}  // namespace
}  // namespace end_test
}  // namespace tg
