// SPDX-License-Identifier: Apache-2.0
// Mistakes that other joins made: saying "done" after a time-out, forgetting the group, or hanging.
#include <atomic>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

namespace join_test {
namespace {

using namespace std::chrono_literals;
using tg::TaskStatus;
using tg::ThreadEventsController;
using tg::ThreadGroup;

bool is_in_forest(tg::GroupId id) {
  return ThreadEventsController::instance().snapshot().find(id) != nullptr;
}

TEST(Join, timed_out_join_says_so_and_changes_nothing) {
  std::latch running(1);
  std::binary_semaphore let_go(0);
  ThreadGroup group("slow", {.max_concurrent_threads = 1});
  const auto first = group.add_task(tg::TaskName{"first"}, [&] {
    running.count_down();
    let_go.acquire();
  });
  const auto second = group.add_task(tg::TaskName{"second"}, [] { throw std::runtime_error("late"); });
  running.wait();
  for (const tg::Duration timeout : {tg::Duration(10ms), tg::Duration(0s), tg::Duration(-1h)}) {
    const auto joined = group.join(timeout);
    EXPECT_FALSE(joined);
    EXPECT_TRUE(joined.timed_out);
    EXPECT_EQ(joined.pending, 1u);
    ASSERT_EQ(joined.running.size(), 1u);
    EXPECT_EQ(joined.running[0].name, "first");
    EXPECT_TRUE(joined.failures.empty());
  }
  EXPECT_TRUE(is_in_forest(group.id())) << "a time-out must not take the group out of the forest";
  EXPECT_FALSE(group.event_is_set());
  EXPECT_EQ(first.status(), TaskStatus::running);
  EXPECT_EQ(second.status(), TaskStatus::pending);
  EXPECT_EQ(group.add_task([] { return 3; }).status(), TaskStatus::pending);
  let_go.release();
  EXPECT_THROW(static_cast<void>(group.join()), std::runtime_error);
  EXPECT_TRUE(group.join(0s));  // delivered once, and done is done even when there is no time at all
  EXPECT_EQ(group.statistics().succeeded, 2u);
  EXPECT_EQ(group.statistics().failed, 1u);
  EXPECT_TRUE(group.set_event()) << "still registered: an event reaches it";
}

TEST(Join, event_reaches_a_group_after_a_timed_out_join) {
  ThreadGroup parent("parent");
  std::optional<ThreadGroup> child;
  parent.add_task([&] { child.emplace("child"); }).get();
  std::latch running(1);
  const auto sleeper = child->add_task([&] {
    running.count_down();
    return tg::thread_utils::event_aware_sleep(600s);
  });
  running.wait();
  EXPECT_FALSE(child->join(1ms));
  parent.set_event("all of you");
  EXPECT_FALSE(sleeper.get());
  EXPECT_EQ(child->reason()->message, "all of you");
}

TEST(Join, own_task_and_task_below_throw_instead_of_hanging) {
  ThreadGroup group("outer");
  const auto tries_to_join = [&group] {
    try {
      static_cast<void>(group.join());
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::make_error_code(std::errc::resource_deadlock_would_occur));
      return std::string(e.what());
    }
    return std::string("joined itself");
  };
  EXPECT_NE(group.add_task(tries_to_join).get().find("MainThread/outer"), std::string::npos);
  const auto from_below = group.add_task([&] {
    ThreadGroup inner("inner");
    return inner.add_task(tries_to_join).get();
  });
  EXPECT_NE(from_below.get().find("MainThread/outer/inner"), std::string::npos);
  EXPECT_TRUE(group.join());
}

struct Report {
  std::string path;
  std::string what;
};

// Collects the calls of the handler for unseen failures, and puts the old one back.
class Reports {
 public:
  Reports()
      : before_(tg::set_unseen_failure_handler([this](const std::string& path, const tg::Failure& failure) {
          const std::lock_guard lock(mutex_);
          reports_.push_back({path, tg::describe_exception(failure.exception)});
        })) {}
  ~Reports() { tg::set_unseen_failure_handler(before_); }
  std::vector<Report> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(reports_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Report> reports_;
  tg::UnseenFailureHandler before_;
};

TEST(Join, group_destroyed_by_its_own_task_is_reported_and_does_not_hang) {
  Reports reports;
  for (int round = 0; round < 200; ++round) {
    auto owned = std::make_unique<ThreadGroup>("suicidal", tg::GroupOptions{.max_concurrent_threads = 2});
    const tg::GroupId id = owned->id();
    std::latch go(1);
    std::atomic<bool> told{false};
    ThreadGroup& group = *owned;
    const auto destroys = group.add_task([&go, &owned, &told] {
      go.wait();
      owned.reset();
      told = tg::thread_utils::event_is_set() && !tg::thread_utils::event_aware_sleep(600s);
    });
    const auto sibling = group.add_task([] { return tg::thread_utils::event_aware_sleep(600s); });
    const auto queued = group.add_task([] {});
    go.count_down();
    destroys.get();
    EXPECT_TRUE(told.load());
    ASSERT_EQ(sibling.wait(30s), tg::WaitOutcome::ready);
    ASSERT_EQ(queued.wait(30s), tg::WaitOutcome::ready);
    EXPECT_EQ(queued.status(), TaskStatus::skipped);
    const std::vector<Report> told_of = reports.take();
    ASSERT_EQ(told_of.size(), 1u);
    EXPECT_NE(told_of[0].what.find("destroyed by a task of its own"), std::string::npos);
    while (is_in_forest(id)) std::this_thread::yield();  // its last worker takes it out
  }
}

TEST(Join, group_destroyed_by_a_task_below_it_is_reported_and_does_not_hang) {
  Reports reports;
  auto owned = std::make_unique<ThreadGroup>("above");
  ThreadGroup& group = *owned;
  const auto outer = group.add_task([&owned] {
    ThreadGroup inner("below");
    inner.post([&owned] { owned.reset(); });
    EXPECT_TRUE(inner.join());
  });
  ASSERT_EQ(outer.wait(60s), tg::WaitOutcome::ready);
  EXPECT_EQ(reports.take().size(), 1u);
}

TEST(Join, any_number_of_threads_may_join_and_each_failure_is_delivered_once) {
  for (int round = 0; round < 50; ++round) {
    ThreadGroup group("many joiners", {.max_concurrent_threads = 3});
    constexpr std::size_t kTasks = 30;
    constexpr int kJoiners = 8;
    std::latch started(kJoiners + 1);
    std::atomic<std::size_t> delivered{0};
    for (std::size_t i = 0; i < kTasks; ++i) group.post([] { throw std::runtime_error("one of many"); });
    std::vector<std::thread> joiners;
    for (int i = 0; i < kJoiners; ++i) {
      joiners.emplace_back([&] {
        started.arrive_and_wait();
        try {
          EXPECT_TRUE(group.join(60s));
        } catch (const tg::TaskFailures& failures) {
          delivered += failures.failures().size();
        } catch (const std::runtime_error&) {
          ++delivered;
        }
      });
    }
    started.arrive_and_wait();
    for (std::thread& joiner : joiners) joiner.join();
    EXPECT_EQ(delivered.load(), kTasks);
  }
}

}  // namespace
}  // namespace join_test
