// SPDX-License-Identifier: Apache-2.0
// When memory runs out: the caller gets the error, no task and no failure is lost, and the counts add up.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "runtime/threads.hpp"
#include "support/blocks.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/scarce_memory.hpp"
#include "tree/forest.hpp"
#include "tree/path_counts.hpp"

namespace tg {
namespace no_memory_test {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Shortage;
using test::Try;
using test::try_with;

// Calls `f` with no memory, with one allocation, with two, until it had all that it wanted; `look` sees each
// outcome.
template <class F, class Look>
void try_with_ever_more(Shortage shortage, F f, Look look) {
  for (int allocations = 0;; ++allocations) {
    const Try outcome = try_with(allocations, shortage, f);
    look(outcome);
    if (!outcome.refused) return;
  }
}

class NoMemory : public testing::TestWithParam<Shortage> {
 protected:
  // From here on each worker needs a new thread, and memory to make it.
  void SetUp() override {
    cache.set_limits(0, runtime::ThreadCache::kDefaultIdleTime);
    eventually([&] { return cache.statistics().threads == 0; });
  }
  void TearDown() override {
    cache.set_limits(runtime::ThreadCache::kDefaultMaxIdle, runtime::ThreadCache::kDefaultIdleTime);
  }

  runtime::ThreadCache& cache = runtime::ThreadCache::instance();
  // Too long for the small buffer of a string: to copy it takes memory.
  const std::string text = std::string(100, 'x');
};

TEST_P(NoMemory, add_task_throws_and_nothing_is_lost) {
  ThreadGroup group("g");
  const auto token = std::make_shared<int>(0);
  TaskHandle<std::size_t> handle;
  std::string name = text;
  int refused = 0;
  try_with_ever_more(
      GetParam(),
      [&] {
        handle = group.add_task(
            TaskName{std::move(name)}, [token](const std::string& s) { return s.size(); }, text);
      },
      [&](Try outcome) {
        name = text;
        EXPECT_EQ(outcome.threw, outcome.refused);
        if (!outcome.threw) return;
        ++refused;
        EXPECT_FALSE(handle.valid());
        EXPECT_EQ(token.use_count(), 1);  // the callable is gone
        EXPECT_EQ(group.statistics().total(), 0u);
        EXPECT_TRUE(group.join(0s));
      });
  EXPECT_GE(refused, 2);
  EXPECT_EQ(handle.get(), 100u);
  EXPECT_EQ(handle.name(), text);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, 1u);
  EXPECT_EQ(group.statistics().total(), 1u);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(NoMemory, post_throws_and_nothing_is_lost) {
  ThreadGroup group("g");
  const auto token = std::make_shared<int>(0);
  std::atomic<int> ran{0};
  int refused = 0;
  try_with_ever_more(
      GetParam(), [&] { group.post([token, &ran](const std::string&) { ++ran; }, text); },
      [&](Try outcome) {
        EXPECT_EQ(outcome.threw, outcome.refused);
        if (!outcome.threw) return;
        ++refused;
        EXPECT_EQ(token.use_count(), 1);
        EXPECT_EQ(group.statistics().total(), 0u);
        EXPECT_TRUE(group.join(0s));
      });
  EXPECT_GE(refused, 2);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(group.statistics().succeeded, 1u);
  EXPECT_EQ(group.statistics().total(), 1u);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(NoMemory, task_waits_for_the_worker_that_exists_when_there_is_none_for_another) {
  std::latch started(1);
  std::latch go(1);
  std::atomic<std::size_t> ran{0};
  std::size_t added = 0;
  std::size_t added_without_a_thread = 0;
  ThreadGroup group("g", {.max_concurrent_threads = 2});
  group.post([&] {
    started.count_down();
    go.wait();
  });
  started.wait();
  const auto look = [&](Try outcome) {
    if (!outcome.threw) ++added;
    if (!outcome.threw && outcome.refused) ++added_without_a_thread;
    EXPECT_EQ(group.statistics().total(), added + 1);
  };
  try_with_ever_more(
      GetParam(), [&] { group.post([&] { ++ran; }); }, look);
  EXPECT_GE(added_without_a_thread, 1u);
  go.count_down();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(ran, added);
  EXPECT_EQ(group.statistics().succeeded, added + 1);
}

// A thread that has no memory is no reason to throw: the task waits, for a thread or for the one that lent
// its slot.
TEST_P(NoMemory, add_by_a_task_that_lent_the_only_place_throws_or_adds_and_nothing_hangs) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::size_t refused = 0;
  std::size_t added = 0;
  const auto outer = group.add_task([&] {
    return thread_utils::wait_for_condition(
        [&] {
          TaskHandle<int> inner;
          try_with_ever_more(
              GetParam(), [&] { inner = group.add_task([] { return 1; }); },
              [&](Try outcome) {
                if (outcome.refused) ++refused;
                if (!outcome.threw) ++added;
                EXPECT_TRUE(outcome.refused || !outcome.threw);
                EXPECT_EQ(group.statistics().total(), 1 + added);
              });
          return inner.get() == 1;
        },
        1h);
  });
  ASSERT_EQ(outer.wait(60s), WaitOutcome::ready);  // without a limit, this thread would run it
  EXPECT_EQ(outer.get(), WaitStatus::condition_met);
  EXPECT_GE(refused, 1u);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, 1 + added);
}

TEST_P(NoMemory, join_that_saw_a_task_which_could_not_be_added_returns) {
  ThreadGroup group("g");
  std::atomic<bool> stop{false};
  std::thread joiner([&] {
    while (!stop) EXPECT_TRUE(group.join());  // hangs if no wake-up says that the task is gone
  });
  std::size_t added = 0;
  for (int round = 0; round < 2'000; ++round) {
    // Somewhere in here the task is made and its thread is not.
    if (!try_with(round % 4, GetParam(), [&] { group.post([] {}); }).threw) ++added;
  }
  stop = true;
  joiner.join();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, added);
  EXPECT_EQ(group.statistics().total(), added);
}

TEST_P(NoMemory, after_the_event_add_task_throws_or_skips) {
  ThreadGroup group("g");
  group.set_event("over");
  TaskHandle<void> handle;
  std::size_t added = 0;
  try_with_ever_more(
      GetParam(), [&] { handle = group.add_task([](const std::string&) {}, text); },
      [&](Try outcome) {
        if (!outcome.threw) ++added;
        EXPECT_EQ(group.statistics().skipped, added);
        EXPECT_EQ(group.statistics().total(), added);
      });
  EXPECT_EQ(added, 1u);
  EXPECT_EQ(handle.status(), TaskStatus::skipped);
  EXPECT_EQ(handle.reason()->message, "over");
}

TEST_P(NoMemory, handle_that_cannot_make_its_name_is_otherwise_whole) {
  ThreadGroup group("g");
  for (int i = 0; i < 3; ++i) {
    const auto handle = group.add_task([i] { return i; });
    std::string name;
    try_with_ever_more(
        GetParam(), [&] { name = handle.name(); },
        [&](Try outcome) { EXPECT_EQ(outcome.threw, outcome.refused); });
    EXPECT_EQ(name, "task " + std::to_string(i + 1));
    EXPECT_EQ(handle.get(), i);
  }
}

TEST_P(NoMemory, thread_that_finds_none_at_its_start_runs_its_task) {
  ThreadGroup group("g");
  test::give_new_threads_none(true);
  const auto task = group.add_task([] { return 1; });
  EXPECT_EQ(task.get(), 1);
  EXPECT_TRUE(group.join());
  test::give_new_threads_none(false);
}

TEST_P(NoMemory, block_given_back_without_memory_to_note_it_is_used_again) {
  if (!test::kBlocksAreKept) GTEST_SKIP() << "each block comes from the heap, which needs no note";
  // In a child, where no thread has had blocks of that size, however often the test is repeated.
  EXPECT_EQ(test::in_child([] {
              constexpr std::size_t kSize = 456;
              void* const block = runtime::take_block(kSize);
              int wrong = 99;
              std::thread([&] {
                runtime::give_block(runtime::take_block(64), 64);  // it keeps blocks, but none of that size
                const Try giving = try_with(0, GetParam(), [&] { runtime::give_block(block, kSize); });
                wrong = giving.threw ? 1 : !giving.refused ? 2 : runtime::take_block(kSize) != block ? 3 : 0;
              }).join();
              return wrong;
            }),
            0);
}

TEST_P(NoMemory, worker_without_memory_fails_the_task_that_wants_some_and_runs_the_others) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::latch all_added(1);
  group.post([&] { all_added.wait(); });  // and the worker makes what it keeps from task to task
  group.post([&] { test::allow(0, GetParam()); });
  const auto wants = group.add_task([&] { return text; });
  const auto wants_none = group.add_task([] { return 2; });
  const auto last = group.add_task([] { return test::allow_all(); });  // others may get this thread
  all_added.count_down();
  EXPECT_EQ(wants_none.get(), 2);
  EXPECT_THROW(wants.get(), std::bad_alloc);
  EXPECT_TRUE(last.get());  // it was refused something
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, 4u);
  EXPECT_EQ(group.statistics().failed, 1u);
}

TEST_P(NoMemory, join_without_it_throws_and_loses_no_failure) {
  std::size_t told = 0;
  set_unseen_failure_handler([&](const std::string&, const Failure&) { ++told; });
  const auto join_once = [&](ThreadGroup& group) {
    try {
      static_cast<void>(group.join());
    } catch (const TaskFailures& e) {
      told += e.failures().size();
    } catch (const std::runtime_error&) {
      ++told;
    }
  };
  std::optional<ThreadGroup> group;
  const auto make_failures = [&] {
    told = 0;
    group.emplace("g", GroupOptions{.max_concurrent_threads = 1});
    for (int i = 0; i < 3; ++i) group->post([] { throw std::runtime_error("kept"); });
    eventually([&] { return group->statistics().failed == 3; });
  };
  make_failures();
  try_with_ever_more(
      GetParam(), [&] { join_once(*group); },
      [&](Try) {
        for (int i = 0; i < 3; ++i) join_once(*group);
        EXPECT_EQ(told, 3u);
        make_failures();
      });
  group.reset();
  set_unseen_failure_handler({});
}

TEST_P(NoMemory, destructor_without_it_does_not_throw_and_tells_of_failures_or_says_that_it_cannot) {
  std::size_t told = 0;
  set_unseen_failure_handler([&](const std::string&, const Failure&) { ++told; });
  std::optional<ThreadGroup> group;
  const auto make_failures = [&] {
    group.emplace("g", GroupOptions{.max_concurrent_threads = 1});
    for (int i = 0; i < 3; ++i) group->post([] { throw std::runtime_error("kept"); });
    eventually([&] { return group->statistics().failed == 3; });
  };
  for (int allocations = 0;; ++allocations) {
    make_failures();
    told = 0;
    testing::internal::CaptureStderr();
    const Try outcome = try_with(allocations, GetParam(), [&] { group.reset(); });
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_FALSE(outcome.threw);
    if (GetParam() == Shortage::passing) {
      EXPECT_EQ(told, 3u) << said;
    } else {
      EXPECT_TRUE(told == 3 || said.find("group 'g'") != std::string::npos) << told << said;
    }
    if (!outcome.refused) break;
  }
  EXPECT_EQ(told, 3u);
  set_unseen_failure_handler({});
}

TEST_P(NoMemory, destructor_without_it_still_tells_the_tasks_to_stop) {
  std::optional<ThreadGroup> group;
  for (int allocations = 0;; ++allocations) {
    std::latch started(1);
    group.emplace("g", GroupOptions{.max_concurrent_threads = 1});
    const auto told = group->add_task([&] {
      started.count_down();
      return thread_utils::event_aware_sleep(1h) ? ReasonKind::requested : thread_utils::reason()->kind;
    });
    const auto pending = group->add_task([] {});
    started.wait();
    // Hangs if it wakes no waiter.
    const Try outcome = try_with(allocations, GetParam(), [&] { group.reset(); });
    EXPECT_FALSE(outcome.threw);
    EXPECT_EQ(told.get(), ReasonKind::destroyed);
    EXPECT_EQ(pending.status(), TaskStatus::skipped);
    EXPECT_EQ(pending.reason()->kind, ReasonKind::destroyed);
    if (!outcome.refused) break;
  }
}

TEST_P(NoMemory, group_that_cannot_be_made_leaves_nothing_behind) {
  const auto make = [&] {
    std::optional<ThreadGroup> group;
    std::string name = text;
    try_with_ever_more(
        GetParam(), [&] { group.emplace(std::move(name)); },
        [&](Try outcome) {
          name = text;
          EXPECT_EQ(group.has_value(), !outcome.threw);
          EXPECT_EQ(ThreadEventsController::instance().snapshot().nodes.empty(), outcome.threw);
        });
    EXPECT_EQ(group->add_task([] { return 1; }).get(), 1);
    group.reset();
    EXPECT_TRUE(ThreadEventsController::instance().snapshot().nodes.empty());
  };
  make();
  std::thread(make).join();  // where a root for the thread is made, too
  EXPECT_TRUE(ThreadEventsController::instance().snapshot().nodes.empty());
}

TEST_P(NoMemory, execute_throws_once_what_it_started_has_ended) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::atomic<std::size_t> ran{0};
  for (int i = 0; i < 3; ++i) group.register_function("f", [&ran, s = text] { return s.size() + 0 * ++ran; });
  const ResultList* results = nullptr;
  try_with_ever_more(
      GetParam(), [&] { results = &group.execute(); },
      [&](Try outcome) {
        EXPECT_TRUE(group.statistics().idle());
        EXPECT_EQ(group.statistics().succeeded, ran);
        EXPECT_EQ(results != nullptr, !outcome.threw);
      });
  ASSERT_NE(results, nullptr);
  EXPECT_EQ(results->str(), "[(function=f; result=100), (function=f; result=100), (function=f; result=100)]");
  EXPECT_TRUE(group.join());
}

// Of all paths.
std::uint64_t succeeded_so_far() {
  std::uint64_t sum = 0;
  for (const detail::PathMeasures& path : detail::Forest::instance().measure(100).paths)
    sum += path.ended.succeeded;
  return sum;
}

TEST_P(NoMemory, group_that_goes_keeps_its_counts) {
  const auto make = [this](const char* name) {
    auto group = std::make_unique<ThreadGroup>(name + text);
    group->post([] {});
    group->join();
    return group;
  };
  const auto seen_so_far = [&] {
    for (const detail::PathMeasures& path : detail::Forest::instance().measure(100).paths) {
      if (path.path == "MainThread/seen " + text) return path.ended.succeeded;
    }
    return std::uint64_t{0};
  };
  const std::uint64_t all_before = succeeded_so_far();
  const std::uint64_t seen_before = seen_so_far();
  for (int allocations = 0;; ++allocations) {
    auto seen = make("seen ");
    const auto done = static_cast<std::uint64_t>(allocations) + 1;
    EXPECT_EQ(seen_so_far(), seen_before + done);
    auto unseen = make("unseen ");
    const Try outcome = try_with(allocations, GetParam(), [&] {
      seen.reset();
      unseen.reset();
    });
    EXPECT_FALSE(outcome.threw);
    EXPECT_EQ(seen_so_far(), seen_before + done);
    EXPECT_EQ(succeeded_so_far(), all_before + 2 * done);
    if (!outcome.refused) return;
  }
}

TEST_P(NoMemory, measuring_throws_and_no_count_is_lost) {
  const std::uint64_t before = succeeded_so_far();
  ThreadGroup group("measured " + text);
  group.post([] {});
  group.join();
  try_with_ever_more(
      GetParam(), [] { static_cast<void>(detail::Forest::instance().measure(100)); },
      [&](Try outcome) { EXPECT_EQ(outcome.threw, outcome.refused); });
  EXPECT_EQ(succeeded_so_far(), before + 1);
}

INSTANTIATE_TEST_SUITE_P(Shortages, NoMemory, testing::Values(Shortage::passing, Shortage::lasting),
                         [](const auto& tested) {
                           return tested.param == Shortage::passing ? "passing" : "lasting";
                         });

}  // namespace
}  // namespace no_memory_test
}  // namespace tg
