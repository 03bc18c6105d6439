// SPDX-License-Identifier: Apache-2.0
// The texts of joins and errors.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include <threadgroup/errors.hpp>
#include <threadgroup/join_result.hpp>

namespace tg {
namespace errors_test {
namespace {

using namespace std::chrono_literals;

Failure failure(std::string task, const char* what) {
  return Failure{std::move(task), std::make_exception_ptr(std::runtime_error(what))};
}

TEST(TaskFailures, holds_all_of_them_in_order_with_task_names) {
  const TaskFailures e("MainThread/g",
                       {failure("a", "x"), failure("b", "y"), {"c", std::make_exception_ptr(3)}});
  ASSERT_EQ(e.failures().size(), 3u);
  EXPECT_EQ(e.failures()[1].task, "b");
  EXPECT_STREQ(e.what(),
               "3 tasks failed in group 'MainThread/g': 'a': x; 'b': y; 'c': an exception of type int");
}

TEST(TaskFailures, text_stops_after_ten) {
  std::vector<Failure> many;
  for (int i = 0; i < 12; ++i) many.push_back(failure("t" + std::to_string(i), "x"));
  const TaskFailures e("g", many);
  const std::string text = e.what();
  EXPECT_NE(text.find("'t9': x; and 2 more"), std::string::npos) << text;
  EXPECT_EQ(text.find("t10"), std::string::npos);
  EXPECT_EQ(e.failures().size(), 12u);
}

TEST(JoinResult, str_of_a_complete_one_is_done) {
  const JoinResult result;
  EXPECT_TRUE(result);
  EXPECT_EQ(result.str(), "done");
}

TEST(JoinResult, str_counts_how_the_tasks_ended) {
  JoinResult result;
  result.counts.succeeded = 5;
  EXPECT_EQ(result.str(), "done: 5 succeeded");
  EXPECT_TRUE(result.all_succeeded());
  result.counts.failed = 2;
  EXPECT_EQ(result.str(), "done: 5 succeeded, 2 failed");
  EXPECT_FALSE(result.all_succeeded());
}

TEST(JoinResult, str_of_a_stopped_group_says_why) {
  JoinResult result;
  result.counts.succeeded = 1;
  result.counts.stopped = 1;
  result.counts.skipped = 3;
  result.reason.emplace();
  result.reason->kind = ReasonKind::deadline;
  result.reason->message = "20 ms";
  EXPECT_EQ(result.str(), "stopped (deadline: 20 ms): 1 succeeded, 1 stopped, 3 skipped");
  EXPECT_FALSE(result.all_succeeded());
  result.reason->kind = ReasonKind::condition_met;
  EXPECT_EQ(result.str(), "stopped (condition_met): 1 succeeded, 1 stopped, 3 skipped");
}

TEST(JoinResult, has_not_all_succeeded_when_it_timed_out) {
  JoinResult result;
  result.timed_out = true;
  result.pending = 1;
  result.counts.pending = 1;
  result.counts.succeeded = 4;
  EXPECT_FALSE(result.all_succeeded());
  EXPECT_EQ(result.str(), "timed out: 1 pending, 0 running, 4 succeeded");
}

TEST(JoinResult, str_says_how_many_are_pending_and_which_run) {
  JoinResult result;
  result.timed_out = true;
  result.pending = 3;
  EXPECT_FALSE(result);
  EXPECT_EQ(result.str(), "timed out: 3 pending, 0 running");
  result.running = {{"fetch 17", 9840ms}, {"fetch 18", 50ms}};
  EXPECT_EQ(result.str(), "timed out: 3 pending, 2 running (fetch 17 for 9.8 s, fetch 18 for 0.1 s)");
}

TEST(JoinResult, str_stops_after_ten_running_ones) {
  JoinResult result;
  result.timed_out = true;
  result.running.assign(13, {"t", 1s});
  EXPECT_NE(result.str().find(", and 3 more)"), std::string::npos) << result.str();
}

TEST(JoinResult, str_says_when_the_caller_was_stopped) {
  JoinResult result;
  result.event_set = true;
  EXPECT_FALSE(result);
  EXPECT_EQ(result.str(), "stopped while waiting: 0 pending, 0 running");
}

TEST(TaskSkipped, says_which_task_and_why) {
  Reason reason;
  reason.message = "enough";
  const TaskSkipped skipped("t", reason);
  EXPECT_STREQ(skipped.what(), "task 't' was skipped: requested: enough");
  EXPECT_EQ(skipped.reason().message, "enough");
  const WaitInterrupted interrupted("t", reason);
  EXPECT_EQ(interrupted.reason().message, "enough");
  EXPECT_NE(std::string(interrupted.what()).find("'t'"), std::string::npos);
}

}  // namespace
}  // namespace errors_test
}  // namespace tg
