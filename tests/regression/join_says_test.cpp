// SPDX-License-Identifier: Apache-2.0
// A join that said "done" of a group most of whose tasks had been skipped, and one that lost failures.
#include <gtest/gtest.h>

#include <exception>
#include <latch>
#include <stdexcept>
#include <string>

#include <threadgroup/threadgroup.hpp>

namespace join_says_test {
namespace {

using namespace std::chrono_literals;
using tg::ThreadGroup;

TEST(JoinSays, that_most_tasks_were_skipped_when_the_time_was_up) {
  ThreadGroup group("group", {.max_concurrent_threads = 1, .time_limit = 20ms});
  group.post([] {
    while (tg::thread_utils::event_aware_sleep(1h)) {
    }
    tg::thread_utils::throw_if_event_set();
  });
  for (int i = 0; i < 4; ++i) group.post([] {});
  const tg::JoinResult joined = group.join();
  EXPECT_TRUE(joined);
  EXPECT_FALSE(joined.all_succeeded());
  EXPECT_EQ(joined.str(), "stopped (deadline: 20 ms): 1 stopped, 4 skipped");
  EXPECT_EQ(joined.counts.skipped, 4u);
  ASSERT_TRUE(joined.reason);
  EXPECT_EQ(joined.reason->kind, tg::ReasonKind::deadline);
}

TEST(JoinSays, how_many_succeeded) {
  ThreadGroup group("group");
  for (int i = 0; i < 5; ++i) group.post([] {});
  const tg::JoinResult joined = group.join();
  EXPECT_EQ(joined.str(), "done: 5 succeeded");
  EXPECT_TRUE(joined.all_succeeded());
  EXPECT_FALSE(joined.reason);
}

TEST(JoinSays, the_same_once_the_group_is_idle) {
  ThreadGroup group("group");
  group.post([] {});
  group.join();
  group.set_event("enough");
  const tg::JoinResult joined = group.join();
  EXPECT_EQ(joined.counts.succeeded, 1u);
  ASSERT_TRUE(joined.reason);
  EXPECT_EQ(joined.reason->message, "enough");
}

TEST(JoinSays, how_many_failed_where_it_does_not_throw) {
  ThreadGroup group("group");
  group.post([] {});
  group.post([] { throw std::runtime_error("x"); });
  const tg::JoinResult joined = group.wait_idle();
  EXPECT_EQ(joined.str(), "done: 1 succeeded, 1 failed");
  EXPECT_FALSE(joined.all_succeeded());
  EXPECT_EQ(joined.failures.size(), 1u);
}

TEST(JoinSays, what_is_done_and_what_is_left_when_it_times_out) {
  std::latch go(1);
  std::latch running(1);
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  group.post([] {});
  group.post([&] {
    running.count_down();
    go.wait();
  });
  running.wait();
  const tg::JoinResult joined = group.join(0s);
  EXPECT_FALSE(joined);
  EXPECT_FALSE(joined.all_succeeded());
  EXPECT_EQ(joined.counts.succeeded, 1u);
  EXPECT_EQ(joined.counts.running, 1u);
  go.count_down();
  EXPECT_TRUE(group.join().all_succeeded());
}

struct SaysNothing : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

TEST(JoinSays, every_failure_also_when_an_exception_has_no_text) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  group.post([] { throw SaysNothing(); });
  group.post([] { throw std::runtime_error("no route"); });
  try {
    group.join();
    FAIL() << "no error";
  } catch (const tg::TaskFailures& failures) {
    EXPECT_EQ(failures.failures().size(), 2u);
    const std::string text = failures.what();
    EXPECT_NE(text.find("SaysNothing"), std::string::npos) << text;
    EXPECT_NE(text.find("no route"), std::string::npos) << text;
  }
  EXPECT_NE(tg::describe_exception(std::make_exception_ptr(SaysNothing())).find("SaysNothing"),
            std::string::npos);
}

TEST(ThreadUtils, throw_if_event_set_leaves_the_task_without_a_failure) {
  EXPECT_NO_THROW(tg::thread_utils::throw_if_event_set());  // no group here
  ThreadGroup group("group");
  const auto task = group.add_task(tg::TaskName{"deep"}, [&group] {
    tg::thread_utils::throw_if_event_set();  // not yet
    group.set_event("enough");
    tg::thread_utils::throw_if_event_set();
    ADD_FAILURE() << "went on";
  });
  group.join();
  EXPECT_EQ(task.status(), tg::TaskStatus::stopped);
  try {
    task.get();
    FAIL() << "no error";
  } catch (const tg::Stopped& stop) {
    EXPECT_EQ(stop.reason().message, "enough");
    EXPECT_NE(std::string(stop.what()).find("task 'deep' was stopped: requested"), std::string::npos)
        << stop.what();
  }
}

TEST(ThreadUtils, stop_token_is_the_groups_wherever_in_the_task_it_is_asked_for) {
  EXPECT_FALSE(tg::thread_utils::stop_token().stop_possible());
  ThreadGroup group("group");
  const auto task = group.add_task([&group] {
    const std::stop_token token = tg::thread_utils::stop_token();
    EXPECT_TRUE(token.stop_possible());
    EXPECT_FALSE(token.stop_requested());
    group.set_event();
    return token.stop_requested();
  });
  EXPECT_TRUE(task.get());
}

}  // namespace
}  // namespace join_says_test
