// SPDX-License-Identifier: Apache-2.0
// A task that a wanted stop ended was counted, thrown and reported as a failure.
#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <vector>

#include <threadgroup/threadgroup.hpp>

namespace stopped_test {
namespace {

using namespace std::chrono_literals;
using tg::GroupStatistics;
using tg::OnFailure;
using tg::TaskHandle;
using tg::TaskStatus;
using tg::ThreadGroup;
using tg::WaitInterrupted;

struct NoMorePages : tg::Stopped {
  using tg::Stopped::Stopped;
};
struct DiskFull : std::runtime_error {
  using std::runtime_error::runtime_error;
};

tg::Reason a_reason(std::string message) {
  tg::Reason reason;
  reason.message = std::move(message);
  return reason;
}

// Collects what would be written to stderr.
class UnseenFailures {
 public:
  UnseenFailures() {
    before_ = tg::set_unseen_failure_handler(
        [this](const std::string&, const tg::Failure& failure) { tasks_.push_back(failure.task); });
  }
  ~UnseenFailures() { tg::set_unseen_failure_handler(before_); }
  UnseenFailures(const UnseenFailures&) = delete;
  UnseenFailures& operator=(const UnseenFailures&) = delete;
  const std::vector<std::string>& tasks() const { return tasks_; }

 private:
  tg::UnseenFailureHandler before_;
  std::vector<std::string> tasks_;
};

// A task elsewhere that does not end before this object does.
class Endless {
 public:
  Endless() : task_(group_.add_task([this] { go_.acquire(); })) {}
  ~Endless() { go_.release(); }
  Endless(const Endless&) = delete;
  Endless& operator=(const Endless&) = delete;
  void get() const { task_.get(); }

 private:
  std::binary_semaphore go_{0};
  ThreadGroup group_{"endless"};
  TaskHandle<void> task_;
};

// Runs `work` as a task whose group's event is set while it runs, and waits for its end.
template <class F>
auto run_and_stop(ThreadGroup& group, F work) {
  std::latch running(1);
  std::binary_semaphore go(0);
  auto task = group.add_task([&, work = std::move(work)]() mutable {
    running.count_down();
    go.acquire();
    return work();
  });
  running.wait();
  group.set_event("enough");
  go.release();
  while (!task.done()) static_cast<void>(task.wait());
  return task;
}

TEST(Stopped, a_task_whose_wait_a_stop_ended_has_not_failed) {
  const UnseenFailures unseen;
  const Endless never;
  {
    ThreadGroup group("group");
    const auto task = run_and_stop(group, [&never] { never.get(); });
    EXPECT_EQ(task.status(), TaskStatus::stopped);
    EXPECT_EQ(task.exception(), nullptr);
    ASSERT_TRUE(task.reason());
    EXPECT_EQ(task.reason()->message, "enough");
    EXPECT_THROW(task.get(), WaitInterrupted);
    EXPECT_NO_THROW(static_cast<void>(group.join()));
    const GroupStatistics counts = group.statistics();
    EXPECT_EQ(counts.stopped, 1u);
    EXPECT_EQ(counts.failed, 0u);
    EXPECT_EQ(counts.done(), 1u);
    EXPECT_EQ(counts.total(), 1u);
  }
  EXPECT_TRUE(unseen.tasks().empty());
}

TEST(Stopped, a_type_of_the_programs_own_comes_out_of_get_as_itself) {
  ThreadGroup group("group");
  const auto task = run_and_stop(group, []() -> int { throw NoMorePages("no more", a_reason("my own")); });
  EXPECT_EQ(task.status(), TaskStatus::stopped);
  EXPECT_EQ(task.reason()->message, "my own");
  EXPECT_THROW(task.get(), NoMorePages);
  EXPECT_THROW(task.view(), NoMorePages);
}

TEST(Stopped, without_a_stop_the_same_exception_is_a_failure) {
  ThreadGroup group("group");
  const auto task = group.add_task([] { throw NoMorePages("no more", a_reason("my own")); });
  EXPECT_THROW(static_cast<void>(group.join()), NoMorePages);
  EXPECT_EQ(task.status(), TaskStatus::failed);
  EXPECT_FALSE(task.reason());
}

TEST(Stopped, an_exception_of_a_stopped_group_below_is_a_failure_of_the_task_that_was_not_stopped) {
  ThreadGroup group("group");
  const auto task = group.add_task([] {
    ThreadGroup below("below");
    below.set_event("only below");
    below.add_task([] {}).get();
  });
  EXPECT_THROW(static_cast<void>(group.join()), tg::TaskSkipped);
  EXPECT_EQ(task.status(), TaskStatus::failed);
}

TEST(Stopped, another_exception_in_a_stopped_task_is_a_failure) {
  ThreadGroup group("group");
  const auto task = run_and_stop(group, [] { throw DiskFull("disk full"); });
  EXPECT_EQ(task.status(), TaskStatus::failed);
  EXPECT_THROW(static_cast<void>(group.join()), DiskFull);
}

TEST(Stopped, a_value_that_a_stopped_task_returns_is_a_success) {
  ThreadGroup group("group");
  const auto task = run_and_stop(group, [] { return 7; });
  EXPECT_EQ(task.status(), TaskStatus::succeeded);
  EXPECT_EQ(task.get(), 7);
}

struct ThrowsWhenDestroyed {
  ThrowsWhenDestroyed() = default;
  ThrowsWhenDestroyed(ThrowsWhenDestroyed&& other) noexcept : armed(std::exchange(other.armed, false)) {}
  ~ThrowsWhenDestroyed() noexcept(false) {
    if (armed) throw DiskFull("in the destructor");
  }
  bool armed = true;
};

TEST(Stopped, a_destructor_that_throws_after_the_stop_is_a_failure) {
  ThreadGroup group("group");
  group.post([&group, destroyed = ThrowsWhenDestroyed()] {
    group.set_event("enough");
    throw NoMorePages("no more", a_reason("enough"));
  });
  const auto task = group.wait_idle();
  ASSERT_EQ(task.failures.size(), 1u);
  EXPECT_THROW(std::rethrow_exception(task.failures[0].exception), DiskFull);
  EXPECT_EQ(group.statistics().stopped, 0u);

  ThreadGroup with_handle("with a handle");
  const auto handle = with_handle.add_task([&with_handle, destroyed = ThrowsWhenDestroyed()] {
    with_handle.set_event("enough");
    throw NoMorePages("no more", a_reason("enough"));
  });
  EXPECT_THROW(handle.get(), DiskFull);
  EXPECT_EQ(handle.status(), TaskStatus::failed);
}

TEST(Stopped, a_posted_task_is_counted_and_dropped) {
  const UnseenFailures unseen;
  {
    ThreadGroup group("group");
    group.post([&group] {
      group.set_event("enough");
      throw NoMorePages("no more", a_reason("enough"));
    });
    EXPECT_NO_THROW(static_cast<void>(group.join()));
    EXPECT_EQ(group.statistics().stopped, 1u);
    EXPECT_EQ(group.statistics().failed, 0u);
  }
  EXPECT_TRUE(unseen.tasks().empty());
}

TEST(Stopped, tasks_that_a_task_adds_to_its_own_group_are_counted_too) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  const auto outer = group.add_task([&group] {
    const auto inner = group.add_task([&group] {
      group.set_event("enough");
      throw NoMorePages("no more", a_reason("enough"));
    });
    inner.get();  // runs it on this stack
  });
  EXPECT_NO_THROW(static_cast<void>(group.join()));
  EXPECT_EQ(outer.status(), TaskStatus::stopped);
  EXPECT_THROW(outer.get(), NoMorePages);
  EXPECT_EQ(group.statistics().stopped, 2u);
}

TEST(Stopped, the_failure_that_stopped_the_group_stays_catchable_by_its_own_type) {
  const Endless never;
  std::latch waiting(3);
  ThreadGroup group("group", {.on_failure = OnFailure::set_event});
  for (int i = 0; i < 3; ++i) {
    group.post([&] {
      waiting.count_down();
      never.get();
    });
  }
  group.post([&waiting] {
    waiting.wait();
    throw DiskFull("disk full");
  });
  EXPECT_THROW(static_cast<void>(group.join()), DiskFull);
  EXPECT_EQ(group.statistics().failed, 1u);
  EXPECT_EQ(group.statistics().stopped, 3u);
}

TEST(Stopped, a_stopped_task_does_not_count_as_the_failure_that_stops_a_group) {
  ThreadGroup group("group", {.on_failure = OnFailure::set_event});
  run_and_stop(group, [] { throw NoMorePages("no more", a_reason("my own")); });
  EXPECT_EQ(group.reason()->kind, tg::ReasonKind::requested);
}

TEST(Stopped, a_list_of_results_says_which_function_was_stopped_and_why) {
  ThreadGroup group("group");
  group.register_function("f", [&group] {
    group.set_event("enough");
    throw NoMorePages("no more", a_reason("out of pages"));
  });
  const tg::ResultList& results = group.execute();
  EXPECT_EQ(results.str(), "[(function=f; stopped=requested: out of pages)]");
  EXPECT_TRUE(results.failures().empty());
  EXPECT_TRUE(results.complete());
}

TEST(Stopped, a_race_whose_callers_group_is_stopped_throws_a_stop) {
  std::latch racing(1);
  ThreadGroup group("group");
  const auto task = group.add_task([&racing] {
    return tg::first_of([&racing] {
      racing.count_down();
      if (!tg::thread_utils::event_aware_sleep(1h)) throw NoMorePages("no more", *tg::thread_utils::reason());
      return 1;
    });
  });
  racing.wait();
  group.set_event("enough");
  EXPECT_NO_THROW(static_cast<void>(group.join()));
  EXPECT_EQ(task.status(), TaskStatus::stopped);
}

}  // namespace
}  // namespace stopped_test
