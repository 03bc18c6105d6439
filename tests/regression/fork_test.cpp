// SPDX-License-Identifier: Apache-2.0
// The child of a fork: an empty forest, clear errors where something is the parent's, and groups of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/errors.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "runtime/faults.hpp"
#include "runtime/threads.hpp"

#include "support/eventually.hpp"
#include "support/in_child.hpp"

// By default ThreadSanitizer ends a child that starts threads when its parent had several.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

namespace fork_test {
namespace {

using namespace std::chrono_literals;
using tg::ForkedError;
using tg::TaskHandle;
using tg::ThreadEventsController;
using tg::ThreadGroup;
using tg::test::in_child;
using tg::test::throws_forked;

void use_new_groups() {
  ThreadGroup group("of the child", {.max_concurrent_threads = 4});
  REQUIRE_IN_CHILD(group.path() == "MainThread/of the child");
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    group.post([&ran] {
      tg::thread_utils::note("in the child");
      ThreadGroup inner("nested");
      inner.post([&ran] { ++ran; });
      static_cast<void>(inner.join());
    });
  }
  REQUIRE_IN_CHILD(group.join(30s));
  REQUIRE_IN_CHILD(ran == 100);
  REQUIRE_IN_CHILD(group.add_task([] { return 5; }).get() == 5);
  const auto sleeper = group.add_task([] { return tg::thread_utils::event_aware_sleep(600s); });
  REQUIRE_IN_CHILD(group.set_event("enough"));
  static_cast<void>(sleeper.wait());
  REQUIRE_IN_CHILD(sleeper.status() == tg::TaskStatus::skipped || !sleeper.get());
}

void use_inherited(ThreadGroup& group, const TaskHandle<int>& unfinished, const TaskHandle<int>& finished) {
  REQUIRE_IN_CHILD(ThreadEventsController::instance().snapshot().nodes.empty());
  REQUIRE_IN_CHILD(throws_forked([&] { group.post([] {}); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.add_task([] {}); }));
  auto mine = std::make_unique<int>(1);  // is not moved into a task that cannot be
  REQUIRE_IN_CHILD(throws_forked([&] { group.post([](std::unique_ptr<int>) {}, std::move(mine)); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.add_task([](std::unique_ptr<int>) {}, std::move(mine)); }));
  REQUIRE_IN_CHILD(mine != nullptr);
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(group.join()); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(group.join(1s)); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(group.wait_idle()); }));
  REQUIRE_IN_CHILD(
      throws_forked([&] { static_cast<void>(group.wait_for_condition([] { return true; }, 1s)); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.notify(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.set_event(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.set_event_for_child_tasks(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(group.get_stop_token()); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(group.statistics()); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.clear_pending(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.register_function("f", [] {}); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.update_fn_args("f", 1); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.execute(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.execute_results(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { group.as_completed(); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(group.executed()); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(group.get_results()); }));
  REQUIRE_IN_CHILD(!group.event_is_set());
  REQUIRE_IN_CHILD(group.name() == "inherited");
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(unfinished.wait()); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(unfinished.wait(1s)); }));
  REQUIRE_IN_CHILD(throws_forked([&] { static_cast<void>(unfinished.get()); }));
  REQUIRE_IN_CHILD(throws_forked([&] { tg::as_completed(std::vector{unfinished}).next(); }));
  REQUIRE_IN_CHILD(tg::as_completed(std::vector{finished}).next()->get() == 1);
  REQUIRE_IN_CHILD(finished.get() == 1);  // what is there already can be had
  REQUIRE_IN_CHILD(tg::thread_utils::current_path() == "MainThread");
  ThreadEventsController::instance().set_all_events();
}

// AddressSanitizer, that of g++ 12 and that of clang 14, does not hold its allocator's locks across a fork:
// where another thread was in the middle of an allocation, the child hangs in its next one.
class Fork : public ::testing::Test {
 protected:
  void SetUp() override {
    if (TG_ADDRESS_SANITIZER) {
      GTEST_SKIP() << "the allocator of the address sanitizer does not survive a fork of several threads";
    }
  }
};

TEST_F(Fork, child_sees_an_empty_forest_and_inherited_groups_say_what_is_wrong) {
  ThreadGroup group("inherited");
  std::binary_semaphore let_go(0);
  const auto finished = group.add_task([] { return 1; });
  ASSERT_EQ(finished.wait(), tg::WaitOutcome::ready);
  const auto unfinished = group.add_task([&] {
    let_go.acquire();
    return 2;
  });
  EXPECT_EQ(in_child([&] {
              use_inherited(group, unfinished, finished);
              use_new_groups();
              use_inherited(group, unfinished, finished);
            }),
            0);
  EXPECT_EQ(unfinished.status() == tg::TaskStatus::succeeded, false);
  let_go.release();
  EXPECT_EQ(unfinished.get(), 2);
  EXPECT_TRUE(group.join());
}

TEST_F(Fork, child_may_destroy_what_it_inherited) {
  auto* group = new ThreadGroup("inherited", {.time_limit = 600s});
  auto* handle = new auto(group->add_task([] { return tg::thread_utils::event_aware_sleep(600s); }));
  EXPECT_EQ(in_child([&] {
              delete group;
              delete handle;
              use_new_groups();
              ThreadGroup limited("with a limit", {.time_limit = 1ms});
              const auto task = limited.add_task([] { return tg::thread_utils::event_aware_sleep(600s); });
              static_cast<void>(task.wait());
              REQUIRE_IN_CHILD(limited.reason()->kind == tg::ReasonKind::deadline);
            }),
            0);
  EXPECT_FALSE(group->event_is_set());
  delete group;
  delete handle;
}

TEST_F(Fork, task_may_fork_and_the_child_is_outside_of_every_task) {
  ThreadGroup group("forks", {.max_concurrent_threads = 2});
  const auto fork_here = [&] {
    return in_child([&] {
      REQUIRE_IN_CHILD(!tg::thread_utils::event_is_set());
      REQUIRE_IN_CHILD(tg::thread_utils::current_path() == "MainThread");
      REQUIRE_IN_CHILD(tg::thread_utils::event_aware_sleep(1ms));
      REQUIRE_IN_CHILD(throws_forked([&] { group.post([] {}); }));
      bool no_group = false;
      try {
        tg::thread_utils::set_event();
      } catch (const tg::NoGroupError&) {
        no_group = true;
      }
      REQUIRE_IN_CHILD(no_group);
      use_new_groups();
    });
  };
  EXPECT_EQ(group.add_task(fork_here).get(), 0);
  EXPECT_EQ(group.add_task(fork_here).get(), 0);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(group.statistics().succeeded, 2u);
}

TEST_F(Fork, task_may_return_in_the_child) {
  if (TG_THREAD_SANITIZER) GTEST_SKIP() << "the thread sanitizer cannot end the one thread of a child";
  ThreadGroup group("forks", {.on_failure = tg::OnFailure::set_event});
  std::atomic<pid_t> child{0};
  const auto forked = group.add_task([&child] {
    tg::thread_utils::note("forks");
    const pid_t made = ::fork();
    if (made == 0) ::alarm(20);
    child = made;
  });
  ASSERT_EQ(forked.wait(60s), tg::WaitOutcome::ready);  // in the parent, in a thread of its own
  EXPECT_TRUE(group.join());
  int status = -1;
  ::waitpid(child, &status, 0);
  // The child had this one thread, and it ended.
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// The child's status: 0 if the wait in which the predicate forked threw `ForkedError` there.
int fork_in_a_predicate(const std::function<void(const std::function<bool()>&)>& wait) {
  pid_t child = -1;
  bool forked = false;
  try {
    wait([&] {
      child = ::fork();
      if (child == 0) ::alarm(20);
      return true;
    });
  } catch (const ForkedError&) {
    forked = true;
  }
  if (child == 0) ::_exit(forked ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(Fork, predicate_may_fork_and_the_wait_throws_in_the_child) {
  ThreadGroup group("waits");
  EXPECT_EQ(fork_in_a_predicate(
                [&](const auto& predicate) { static_cast<void>(group.wait_for_condition(predicate, 1h)); }),
            0);
  // In a task that has lent its slot for the wait, and does not get it back in the child.
  ThreadGroup own("waits for itself", {.max_concurrent_threads = 1});
  EXPECT_EQ(own.add_task([] {
                 return fork_in_a_predicate([](const auto& predicate) {
                   static_cast<void>(tg::thread_utils::wait_for_condition(predicate, 1h));
                 });
               })
                .get(),
            0);
}

TEST_F(Fork, child_may_destroy_an_inherited_reporter_of_progress_and_nothing_is_reported) {
  ThreadGroup group("observed");
  std::atomic<int> told{0};
  auto* const reporter =
      new tg::ProgressReporter(group, [&](const tg::Progress&) { ++told; }, {.interval = 1h});
  EXPECT_EQ(in_child([&] {
              tg::set_unseen_failure_handler([&](const std::string&, const tg::Failure&) { ++told; });
              delete reporter;
              REQUIRE_IN_CHILD(told == 0);
            }),
            0);
  delete reporter;
  EXPECT_EQ(told, 1);
}

TEST_F(Fork, child_of_a_child_works_too) {
  ThreadGroup group("grandparent");
  EXPECT_EQ(in_child([&] {
              ThreadGroup own("parent");
              REQUIRE_IN_CHILD(own.add_task([&] {
                                    return in_child([&] {
                                      REQUIRE_IN_CHILD(throws_forked([&] { group.post([] {}); }));
                                      REQUIRE_IN_CHILD(throws_forked([&] { own.post([] {}); }));
                                      use_new_groups();
                                    });
                                  })
                                   .get() == 0);
            }),
            0);
}

TEST_F(Fork, child_may_exit_normally) {
  std::binary_semaphore let_go(0);
  ThreadGroup group("inherited");
  group.post([&] { let_go.acquire(); });
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    std::exit(3);  // runs the exit handlers: the parent's group is none of theirs
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
  let_go.release();
}

// A lock that some other thread holds at the moment of the fork would be held in the child forever.
TEST_F(Fork, fork_while_others_hammer_the_library_leaves_no_lock_behind) {
  if (TG_THREAD_SANITIZER) {
    GTEST_SKIP() << "the allocator of the thread sanitizer does not survive a fork while others allocate";
  }
  std::binary_semaphore let_go(0);
  ThreadGroup shared("inherited");
  shared.register_function("f", [] {});
  const auto finished = shared.add_task([] { return 1; });
  ASSERT_EQ(finished.wait(), tg::WaitOutcome::ready);
  const auto unfinished = shared.add_task([&] {
    let_go.acquire();
    return 2;
  });
  std::atomic<bool> stop{false};
  std::vector<std::thread> hammers;
  for (int i = 0; i < 3; ++i) {
    hammers.emplace_back([&, i] {
      while (!stop) {
        ThreadGroup group("hammer", {.time_limit = i == 0 ? std::optional<tg::Duration>(1h) : std::nullopt});
        for (int k = 0; k < 3; ++k) {
          group.post([] {
            tg::thread_utils::note("hammers");
            ThreadGroup("inner").post([] {});
          });
        }
        static_cast<void>(shared.statistics());
        static_cast<void>(shared.get_stop_token());
        static_cast<void>(shared.executed());
        static_cast<void>(tg::dump());
        tg::set_unseen_failure_handler({});
        if (i == 2) group.set_event();
      }
    });
  }
  int status = 0;
  for (int i = 0; i < 40 && status == 0; ++i) {
    status = in_child([&] {
      use_inherited(shared, unfinished, finished);
      use_new_groups();
      tg::set_unseen_failure_handler({});
    });
  }
  EXPECT_EQ(status, 0);
  stop = true;
  for (std::thread& hammer : hammers) hammer.join();
  let_go.release();
}

// The task runs on the stack of the join; in the child, that join has nothing to wait for and says so.
TEST_F(Fork, in_a_task_that_a_join_runs_ends_the_join_in_the_child) {
  if (TG_THREAD_SANITIZER) GTEST_SKIP() << "threads after a fork";
  tg::runtime::ThreadCache& cache = tg::runtime::ThreadCache::instance();
  cache.set_limits(0, tg::runtime::ThreadCache::kDefaultIdleTime);
  tg::test::eventually([&] { return cache.statistics().threads == 0; });
  pid_t child = -1;
  {
    ThreadGroup group("two slots", {.max_concurrent_threads = 2});
    std::binary_semaphore running(0);
    std::binary_semaphore go(0);
    group.post([&] {
      running.release();
      go.acquire();
    });
    running.acquire();
    tg::runtime::faults::refuse_threads(1'000'000);
    group.post([&] {
      child = ::fork();
      if (child != 0) go.release();
    });
    const bool forked = throws_forked([&] { static_cast<void>(group.join()); });
    if (child == 0) ::_exit(forked ? 0 : 1);
    EXPECT_FALSE(forked);
  }
  tg::runtime::faults::refuse_threads(0);
  cache.set_limits(tg::runtime::ThreadCache::kDefaultMaxIdle, tg::runtime::ThreadCache::kDefaultIdleTime);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace fork_test
