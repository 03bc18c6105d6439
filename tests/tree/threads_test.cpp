// SPDX-License-Identifier: Apache-2.0
// Where groups hang that are made on threads of others, and what thread_utils says there and in tasks.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <latch>
#include <thread>

#include <threadgroup/errors.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "base/sanitizers.hpp"
#include "runtime/steady_clock.hpp"
#include "support/nodes.hpp"
#include "tree/forest.hpp"

// A sanitizer has its own `clock_gettime` in the program.
#define TG_COUNTS_READS_OF_CLOCKS (!TG_THREAD_SANITIZER && !TG_ADDRESS_SANITIZER)
#if TG_COUNTS_READS_OF_CLOCKS
namespace tg::threads_test {
namespace {
thread_local int reads_of_clocks = 0;
}  // namespace
}  // namespace tg::threads_test

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  using Read = int(clockid_t, timespec*);
  static Read* const read = reinterpret_cast<Read*>(::dlsym(RTLD_NEXT, "clock_gettime"));
  ++tg::threads_test::reads_of_clocks;
  return read(clock, time);
}
#endif

namespace tg {
namespace threads_test {
namespace {

using namespace std::chrono_literals;
using test::Inside;
using test::Linked;

ThreadEventsController& controller = ThreadEventsController::instance();

TEST(ForeignThread, group_made_on_an_unknown_thread_roots_a_tree_labelled_with_that_thread) {
  std::thread([] {
    runtime::Flow::current().set_os_name("stranger");
    EXPECT_EQ(controller.snapshot().roots().size(), 0u);  // on demand
    const Linked a("a");
    const Linked b("b");
    const ForestSnapshot snapshot = controller.snapshot();
    ASSERT_EQ(snapshot.roots().size(), 1u);
    const NodeSnapshot& root = *snapshot.roots()[0];
    EXPECT_EQ(root.kind, NodeKind::foreign_thread);
    EXPECT_EQ(root.name.rfind("stranger (thread ", 0), 0u) << root.name;
    EXPECT_EQ(snapshot.children(root.id).size(), 2u);
    EXPECT_EQ(detail::Forest::instance().path(*a), root.name + "/a");
    EXPECT_EQ(thread_utils::current_path(), root.name);
  }).join();
}

TEST(ForeignThread, its_root_goes_when_the_thread_and_its_groups_are_gone) {
  std::thread([] { const Linked a("a"); }).join();
  EXPECT_TRUE(controller.snapshot().nodes.empty());
}

TEST(ForeignThread, its_group_may_outlive_the_thread) {
  Linked a;
  std::thread([&] { a = Linked("a"); }).join();
  ASSERT_EQ(controller.roots().size(), 1u);
  const Linked below("below", *a);
  a.reset();
  EXPECT_EQ(controller.children(controller.roots()[0]), std::vector<GroupId>{below->id()});
  // The next thread that reuses the flow has a root of its own.
  std::thread([] {
    const Linked other("other");
    EXPECT_EQ(controller.roots().size(), 2u);
  }).join();
}

TEST(ForeignThread, root_of_a_thread_that_is_gone_leaves_with_its_last_group) {
  {
    Linked a;
    Linked b;
    std::thread([&] {
      a = Linked("a");
      b = Linked("b");
    }).join();
    a.reset();
    EXPECT_EQ(controller.roots().size(), 1u);
    EXPECT_EQ(detail::Forest::instance().unlink_leaf(*b), detail::Forest::Unlinked::yes);
    EXPECT_TRUE(controller.roots().empty());
  }
  EXPECT_TRUE(controller.snapshot().nodes.empty());
}

TEST(ThreadUtils, outside_of_tasks_there_is_no_event_to_look_at) {
  EXPECT_FALSE(thread_utils::event_is_set());
  EXPECT_FALSE(thread_utils::reason());
  EXPECT_EQ(thread_utils::current_path(), "MainThread");
}

TEST(ThreadUtils, set_event_where_there_is_no_group_throws) {
  EXPECT_THROW(thread_utils::set_event(), NoGroupError);
  std::thread([] { EXPECT_THROW(thread_utils::set_event(), NoGroupError); }).join();
}

TEST(ThreadUtils, set_event_in_a_task_sets_the_tasks_own_group) {
  const Linked a("a");
  const Linked b("b", *a);
  const Linked below("below", *b);
  const Inside inside(*b);
  EXPECT_EQ(thread_utils::current_path(), "MainThread/a/b");
  EXPECT_TRUE(thread_utils::set_event("enough"));
  EXPECT_FALSE(thread_utils::set_event("again"));
  EXPECT_TRUE(thread_utils::event_is_set());
  EXPECT_EQ(thread_utils::reason()->message, "enough");
  EXPECT_EQ(thread_utils::reason()->where.line, static_cast<std::uint32_t>(__LINE__ - 4));
  EXPECT_TRUE(below.is_set());
  EXPECT_FALSE(a.is_set());
}

TEST(ThreadUtils, set_all_events_reaches_every_group) {
  const Linked a("a");
  const Linked daemon("d", NodeKind::daemon);
  const Inside inside(*a);
  thread_utils::set_all_events("all");
  EXPECT_TRUE(a.is_set());
  EXPECT_TRUE(daemon.is_set());
  EXPECT_EQ(daemon->event().reason()->origin_path, "MainThread/a");
}

TEST(EventAwareSleep, on_the_main_thread_it_is_a_plain_sleep_and_true) {
  const TimePoint until = runtime::after(5ms);
  EXPECT_TRUE(thread_utils::event_aware_sleep(5ms));
  EXPECT_GE(runtime::now(), until);
}

TEST(EventAwareSleep, on_an_unknown_thread_it_is_a_plain_sleep_and_true) {
  std::thread([] {
    const TimePoint until = runtime::after(5ms);
    EXPECT_TRUE(thread_utils::event_aware_sleep(5ms));
    EXPECT_GE(runtime::now(), until);
  }).join();
}

TEST(EventAwareSleep, zero_and_negative_ones_do_not_block) {
  EXPECT_TRUE(thread_utils::event_aware_sleep(0s));
  EXPECT_TRUE(thread_utils::event_aware_sleep(-1h));
  EXPECT_TRUE(thread_utils::event_aware_sleep(Duration::min()));
}

#if TG_COUNTS_READS_OF_CLOCKS
TEST(EventAwareSleep, zero_and_negative_ones_read_no_clock) {
  const Linked a("a");
  const Inside inside(*a);
  const int before = reads_of_clocks;
  EXPECT_TRUE(thread_utils::event_aware_sleep(0s));
  EXPECT_TRUE(thread_utils::event_aware_sleep(-1h));
  EXPECT_EQ(reads_of_clocks, before);
  EXPECT_TRUE(thread_utils::event_aware_sleep(1ns));
  EXPECT_GT(reads_of_clocks, before);  // else nothing was counted
}

// Two looks would make a task of the second group seem older than one above it that began first.
TEST(Snapshot, times_the_tasks_of_all_groups_by_one_look_at_the_clock) {
  std::latch go(1);
  std::latch both_run(2);
  ThreadGroup outer("outer");
  ThreadGroup inner("inner");
  for (ThreadGroup* const group : {&outer, &inner}) {
    group->post([&] {
      both_run.count_down();
      go.wait();
    });
  }
  both_run.wait();
  const int before = reads_of_clocks;
  const ForestSnapshot snapshot = controller.snapshot();
  EXPECT_EQ(reads_of_clocks, before + 1);
  EXPECT_EQ(snapshot.find(outer.id())->running.size() + snapshot.find(inner.id())->running.size(), 2u);
  go.count_down();
}
#endif

TEST(EventAwareSleep, is_true_after_the_whole_sleep) {
  const Linked a("a");
  const Inside inside(*a);
  const TimePoint until = runtime::after(5ms);
  EXPECT_TRUE(thread_utils::event_aware_sleep(5ms));
  EXPECT_GE(runtime::now(), until);
}

TEST(EventAwareSleep, is_false_at_once_if_the_event_is_set_already) {
  const Linked a("a");
  test::set_event(a);
  const Inside inside(*a);
  EXPECT_FALSE(thread_utils::event_aware_sleep(std::chrono::hours::max()));
  EXPECT_FALSE(thread_utils::event_aware_sleep(0s));
  EXPECT_FALSE(thread_utils::event_aware_sleep(-1h));
}

TEST(EventAwareSleep, is_false_as_soon_as_an_ancestors_event_is_set) {
  const Linked a("a");
  const Linked b("b", *a);
  std::thread sleeper([&] {
    const Inside inside(*b);
    EXPECT_FALSE(thread_utils::event_aware_sleep(std::chrono::hours::max()));
  });
  while (!b->event().is_watched()) std::this_thread::yield();
  test::set_event(a);
  sleeper.join();
}

}  // namespace
}  // namespace threads_test
}  // namespace tg
