// SPDX-License-Identifier: Apache-2.0
// What snapshots say of running tasks: what each waits for, since when, and where it was added.
#include <gtest/gtest.h>

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <latch>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"

#include "support/eventually.hpp"
#include "support/pipe.hpp"
#include "support/signal_handler.hpp"

namespace tg {
namespace waits_for_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;

std::vector<RunningTask> running_in(const ThreadGroup& group) {
  const ForestSnapshot forest = ThreadEventsController::instance().snapshot();
  return forest.find(group.id())->running;
}

RunningTask task_named(const ThreadGroup& group, const std::string& name) {
  for (const RunningTask& task : running_in(group)) {
    if (task.name == name) return task;
  }
  return {};
}

void wait_until_waiting(const ThreadGroup& group, const std::string& name, const std::string& what) {
  eventually([&] { return task_named(group, name).waits_for == what; });
}

class WaitsFor : public testing::Test {
 protected:
  // Lets the group's only task end, and looks at the one that runs after it on the same thread.
  void expect_no_note_in_the_next_task(ThreadGroup& one, std::latch& task_may_end) {
    std::latch next_runs(1);
    one.add_task(TaskName("next"), [&] {
      next_runs.count_down();
      go.wait();
    });
    task_may_end.count_down();
    next_runs.wait();
    EXPECT_EQ(task_named(one, "next").note, "");
    go.count_down();
    one.join();
  }

  std::latch go{1};
  ThreadGroup group{"work", {.max_concurrent_threads = 4}};
};

TEST_F(WaitsFor, is_empty_while_the_task_runs_or_blocks_without_the_library) {
  std::latch started(1);
  group.add_task(TaskName("blocks"), [&] {
    static_cast<void>(thread_utils::event_aware_sleep(1ms));
    started.count_down();
    go.wait();
  });
  started.wait();
  EXPECT_EQ(task_named(group, "blocks").waits_for, "");
  EXPECT_EQ(task_named(group, "blocks").waiting_for, Duration());
  go.count_down();
}

TEST_F(WaitsFor, names_a_sleep_and_how_long_it_has_lasted) {
  group.add_task(TaskName("sleeps"), [] { thread_utils::event_aware_sleep(1h); });
  wait_until_waiting(group, "sleeps", "a time (event_aware_sleep)");
  eventually([&] { return task_named(group, "sleeps").waiting_for > Duration(10ms); });
  const RunningTask task = task_named(group, "sleeps");
  EXPECT_LE(task.waiting_for, task.running_for);
  group.set_event();
}

TEST_F(WaitsFor, names_a_condition) {
  group.add_task(TaskName("asks"),
                 [&] { group.wait_for_condition([] { return false; }, 1h, {.stop_when_idle = false}); });
  wait_until_waiting(group, "asks", "a condition");
  group.set_event();
}

TEST_F(WaitsFor, names_the_task_and_its_group) {
  ThreadGroup other("db");
  const auto load = other.add_task(TaskName("load"), [&] { go.wait(); });
  group.add_task(TaskName("waits"), [&] { static_cast<void>(load.wait()); });
  wait_until_waiting(group, "waits", "task 'load' of group 'db'");
  go.count_down();
  group.join();  // before what its task uses goes
}

TEST_F(WaitsFor, names_a_task_without_its_group_if_the_wait_has_a_time_limit) {
  const auto load = group.add_task(TaskName("load"), [&] { go.wait(); });
  group.add_task(TaskName("waits"), [&] { static_cast<void>(load.wait(1h)); });
  wait_until_waiting(group, "waits", "a task");
  go.count_down();
  group.join();  // before what its task uses goes
}

TEST_F(WaitsFor, names_the_group_of_a_join) {
  ThreadGroup other("db", {.max_concurrent_threads = 1});
  std::latch started(1);
  other.post([&] {
    started.count_down();
    go.wait();
  });
  started.wait();
  group.add_task(TaskName("joins"), [&] { other.join(); });
  wait_until_waiting(group, "joins", "group 'db' to be idle");
  go.count_down();
  group.join();  // before what its task uses goes
}

TEST_F(WaitsFor, is_told_apart_for_tasks_on_one_stack) {
  ThreadGroup other("db", {.max_concurrent_threads = 1});
  std::latch added(1);
  group.add_task(TaskName("joins"), [&] {
    other.add_task(TaskName("helped"), [] { thread_utils::event_aware_sleep(1h); });
    added.count_down();
    other.join();
  });
  added.wait();
  wait_until_waiting(other, "helped", "a time (event_aware_sleep)");
  wait_until_waiting(group, "joins", "group 'db' to be idle");
  other.set_event();
  group.join();
}

TEST_F(WaitsFor, names_a_wait_for_a_task_that_runs_on_the_same_stack) {
  ThreadGroup one("one", {.max_concurrent_threads = 1});
  one.add_task(TaskName("outer"),
               [&] { static_cast<void>(one.add_task(TaskName("inner"), [&] { go.wait(); }).wait()); });
  eventually([&] { return task_named(one, "inner").name == "inner"; });
  EXPECT_EQ(task_named(one, "inner").waits_for, "");
  EXPECT_EQ(task_named(one, "outer").waits_for, "a task that it runs itself");
  go.count_down();
}

TEST_F(WaitsFor, comes_with_the_line_where_the_task_was_added) {
  std::latch started(3);
  const auto block = [&] {
    started.count_down();
    go.wait();
  };
  const SourceLocation here = SourceLocation::current();
  group.post(block);
  group.add_task(block);
  group.add_task(TaskName("named"), block);
  started.wait();
  std::vector<std::uint32_t> lines;
  for (const RunningTask& task : running_in(group)) {
    EXPECT_NE(std::string(task.added_at.file).find("waits_for_test.cpp"), std::string::npos);
    lines.push_back(task.added_at.line - here.line);
  }
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::uint32_t>{1, 2, 3}));
  go.count_down();
}

TEST_F(WaitsFor, names_a_system_call_and_its_descriptor_and_how_long_it_has_lasted) {
  const test::Pipe pipe;
  group.add_task(TaskName("reads"), [&] {
    char byte = 0;
    static_cast<void>(posix::read(pipe.reading(), &byte, 1));
  });
  wait_until_waiting(group, "reads", "read on descriptor " + std::to_string(pipe.reading()));
  eventually([&] { return task_named(group, "reads").waiting_for > Duration(10ms); });
  group.add_task(TaskName("pauses"), [] { static_cast<void>(posix::pause()); });
  wait_until_waiting(group, "pauses", "pause");
  group.set_event();
  group.join();
}

TEST_F(WaitsFor, comes_with_the_note_of_the_task_until_its_end) {
  ThreadGroup one("one", {.max_concurrent_threads = 1});
  thread_utils::note("outside of tasks it does nothing");
  std::latch noted(1);
  std::latch go_on(1);
  one.add_task(TaskName("pages"), [&] {
    EXPECT_EQ(task_named(one, "pages").note, "");
    thread_utils::note("page 6");
    thread_utils::note("page 7");
    noted.count_down();
    go_on.wait();
    thread_utils::note("");
    EXPECT_EQ(task_named(one, "pages").note, "");
    thread_utils::note("the last page");
  });
  noted.wait();
  EXPECT_EQ(task_named(one, "pages").note, "page 7");
  expect_no_note_in_the_next_task(one, go_on);
}

TEST_F(WaitsFor, tells_the_notes_of_tasks_on_one_stack_apart) {
  ThreadGroup one("one", {.max_concurrent_threads = 1});
  std::latch noted(1);
  one.add_task(TaskName("outer"), [&] {
    thread_utils::note("waits for the inner one");
    static_cast<void>(one.add_task(TaskName("inner"),
                                   [&] {
                                     thread_utils::note("halfway");
                                     noted.count_down();
                                     go.wait();
                                   })
                          .wait());
    EXPECT_EQ(task_named(one, "outer").note, "waits for the inner one");
  });
  noted.wait();
  EXPECT_EQ(task_named(one, "outer").note, "waits for the inner one");
  EXPECT_EQ(task_named(one, "inner").note, "halfway");
  go.count_down();
  one.join();
}

TEST_F(WaitsFor, comes_with_no_note_of_an_earlier_task_whose_result_has_noted_something) {
  struct Result {
    Result() = default;
    Result(Result&& other) noexcept : notes(std::exchange(other.notes, false)) {}
    ~Result() {
      if (notes) thread_utils::note("left by a result");
    }
    bool notes = true;
  };
  ThreadGroup one("one", {.max_concurrent_threads = 1});
  std::latch handle_is_gone(1);
  one.add_task([&] {
    handle_is_gone.wait();
    return Result();
  });
  expect_no_note_in_the_next_task(one, handle_is_gone);
}

TEST_F(WaitsFor, names_a_call_and_its_time_also_after_a_signal_handler_has_made_another_one) {
  if (TG_THREAD_SANITIZER != 0) GTEST_SKIP() << "the sanitizer delays handlers until the call returns";
  const test::Pipe pipe;
  const test::Pipe other;
  static int written_by_handler;
  written_by_handler = other.writing();
  const test::SignalHandler handler(
      SIGUSR1, +[](int) { static_cast<void>(posix::write(written_by_handler, "x", 1)); });
  std::atomic<pthread_t> reader{};
  group.add_task(TaskName("reads"), [&] {
    reader = ::pthread_self();
    char byte = 0;
    static_cast<void>(posix::read(pipe.reading(), &byte, 1));
  });
  eventually([&] { return task_named(group, "reads").waiting_for > Duration(10ms); });
  ::pthread_kill(reader, SIGUSR1);
  char byte = 0;
  EXPECT_EQ(::read(other.reading(), &byte, 1), 1);
  eventually([&] {
    const RunningTask task = task_named(group, "reads");
    return task.waits_for == "read on descriptor " + std::to_string(pipe.reading()) &&
           task.waiting_for > Duration(10ms);
  });
  group.set_event();
  group.join();
}

TEST_F(WaitsFor, is_in_a_dump_with_a_line_for_each_task) {
  group.add_task(TaskName("sleeps"), [] {
    thread_utils::note("page 7");
    thread_utils::event_aware_sleep(1h);
  });
  wait_until_waiting(group, "sleeps", "a time (event_aware_sleep)");
  const std::string text = dump();
  EXPECT_EQ(text.find("threadgroup: process " + std::to_string(::getpid()) + " runs "), 0U) << text;
  EXPECT_NE(text.find("work  [0 pending, 1 running, 0 done]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("- 'sleeps' (for "), std::string::npos) << text;
  EXPECT_NE(text.find("; page 7; waits for a time (event_aware_sleep)"), std::string::npos) << text;
  EXPECT_NE(text.find("; added at waits_for_test.cpp:"), std::string::npos) << text;
  group.set_event();
}

TEST_F(WaitsFor, is_in_the_result_of_a_join_that_timed_out) {
  group.add_task(TaskName("sleeps"), [] { thread_utils::event_aware_sleep(1h); });
  wait_until_waiting(group, "sleeps", "a time (event_aware_sleep)");
  const JoinResult joined = group.join(0s);
  ASSERT_EQ(joined.running.size(), 1U);
  EXPECT_EQ(joined.running[0].waits_for, "a time (event_aware_sleep)");
  group.set_event();
}

TEST(RunningTaskText, says_what_is_known) {
  RunningTask task{"fetch 17", 9800ms};
  EXPECT_EQ(task.str(), "'fetch 17' (for 9.8 s)");
  task.note = "page 7";
  EXPECT_EQ(task.str(), "'fetch 17' (for 9.8 s; page 7)");
  task.note.clear();
  task.waits_for = "a condition";
  EXPECT_EQ(task.str(), "'fetch 17' (for 9.8 s; waits for a condition)");
  task.waiting_for = 9700ms;
  task.added_at.file = "/src/main.cpp";
  task.added_at.line = 42;
  EXPECT_EQ(task.str(), "'fetch 17' (for 9.8 s; waits for a condition for 9.7 s; added at main.cpp:42)");
}

}  // namespace
}  // namespace waits_for_test
}  // namespace tg
