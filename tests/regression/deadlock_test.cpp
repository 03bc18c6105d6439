// SPDX-License-Identifier: Apache-2.0
// Cycles of waits: each is refused at the wait that closes it, and nothing else is.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "support/eventually.hpp"

using namespace std::chrono_literals;
using tg::TaskHandle;
using tg::TaskName;
using tg::ThreadGroup;

namespace deadlock_test {
namespace {

// The path that a refused wait names; empty if it was not refused.
template <class Wait>
std::string refusal(Wait wait) {
  try {
    wait();
  } catch (const std::system_error& e) {
    if (e.code() == std::errc::resource_deadlock_would_occur) return e.what();
    return std::string("another error: ") + e.what();
  }
  return {};
}

// Of two waits that close a cycle together the later one is refused, and which that is, the test does not
// know: the text of the one that was, and how many were.
class Refusals {
 public:
  template <class Wait>
  void try_it(Wait wait) {
    const std::string text = refusal(wait);
    if (text.empty()) return;
    const std::lock_guard lock(mutex_);
    ++count_;
    text_ = text;
  }
  int count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  bool name(const std::string& part) const { return text().find(part) != std::string::npos; }

 private:
  mutable std::mutex mutex_;
  int count_ = 0;
  std::string text_;
};

}  // namespace

TEST(Deadlock, two_groups_whose_tasks_join_each_other) {
  for (int round = 0; round < 50; ++round) {
    ThreadGroup a("A");
    ThreadGroup b("B");
    std::latch both(2);
    Refusals refusals;
    a.post([&] {
      both.arrive_and_wait();
      refusals.try_it([&] { static_cast<void>(b.wait_idle()); });
    });
    b.post([&] {
      both.arrive_and_wait();
      refusals.try_it([&] { static_cast<void>(a.wait_idle()); });
    });
    EXPECT_TRUE(a.join());
    EXPECT_TRUE(b.join());
    ASSERT_EQ(refusals.count(), 1);
    EXPECT_TRUE(refusals.name("group 'MainThread/A'")) << refusals.text();
    EXPECT_TRUE(refusals.name("group 'MainThread/B', whose task 'task 1' waits for group 'MainThread/") ||
                refusals.name("group 'MainThread/A', whose task 'task 1' waits for group 'MainThread/"))
        << refusals.text();
  }
}

TEST(Deadlock, names_each_task_and_group_of_the_path_in_order) {
  std::latch known(1);
  ThreadGroup a("A");
  ThreadGroup b("B");
  TaskHandle<void> of_a;
  Refusals refusals;
  of_a = a.add_task(TaskName{"a"}, [&] {
    known.wait();
    refusals.try_it([&] { static_cast<void>(b.wait_idle()); });
  });
  b.add_task(TaskName{"b"}, [&] {
    known.wait();
    refusals.try_it([&] { static_cast<void>(of_a.wait()); });
  });
  known.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
  EXPECT_EQ(refusals.count(), 1);
  EXPECT_TRUE(refusals.name("task 'a' of group 'MainThread/A' waits for group 'MainThread/B', whose task 'b' "
                            "waits for task 'a' of group 'MainThread/A'") ||
              refusals.name("task 'b' of group 'MainThread/B' waits for task 'a' of group 'MainThread/A', "
                            "which waits for group 'MainThread/B'"))
      << refusals.text();
}

TEST(Deadlock, two_tasks_of_two_groups_that_wait_for_each_other) {
  std::latch both_known(1);
  ThreadGroup a("A");
  ThreadGroup b("B");
  TaskHandle<void> first;
  TaskHandle<void> second;
  Refusals refusals;
  first = a.add_task([&] {
    both_known.wait();
    refusals.try_it([&] { static_cast<void>(second.wait()); });
  });
  second = b.add_task([&] {
    both_known.wait();
    refusals.try_it([&] { static_cast<void>(first.wait()); });
  });
  both_known.count_down();
  static_cast<void>(first.wait());
  static_cast<void>(second.wait());
  EXPECT_EQ(refusals.count(), 1);
}

TEST(Deadlock, two_tasks_of_one_group_that_wait_for_each_other) {
  for (const std::ptrdiff_t bound : {1, 2, 8}) {
    ThreadGroup group("G", {.max_concurrent_threads = static_cast<std::size_t>(bound)});
    TaskHandle<void> first;
    TaskHandle<void> second;
    std::latch both_known(1);
    std::latch both_run(std::min<std::ptrdiff_t>(bound, 2));  // one slot: the first runs the second itself
    Refusals refusals;
    first = group.add_task(TaskName{"first"}, [&] {
      both_known.wait();
      both_run.arrive_and_wait();
      refusals.try_it([&] { second.get(); });
    });
    second = group.add_task(TaskName{"second"}, [&] {
      both_known.wait();
      if (bound > 1) both_run.arrive_and_wait();
      refusals.try_it([&] { first.get(); });
    });
    both_known.count_down();
    EXPECT_TRUE(group.join()) << bound;
    EXPECT_EQ(refusals.count(), 1) << bound;
  }
}

TEST(Deadlock, three_groups_by_a_join_a_handle_and_as_completed) {
  std::latch all(3);
  std::latch known(1);
  ThreadGroup a("A");
  ThreadGroup b("B");
  ThreadGroup c("C");
  TaskHandle<void> of_c;
  Refusals refusals;
  const auto of_a = a.add_task([&] {
    all.arrive_and_wait();
    refusals.try_it([&] { static_cast<void>(b.wait_idle()); });
  });
  b.post([&] {
    known.wait();
    all.arrive_and_wait();
    refusals.try_it([&] { static_cast<void>(of_c.wait()); });
  });
  of_c = c.add_task([&] {
    all.arrive_and_wait();
    refusals.try_it([&] {
      for (auto& task : tg::as_completed(std::vector{of_a})) static_cast<void>(task);
    });
  });
  known.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
  EXPECT_TRUE(c.join());
  EXPECT_EQ(refusals.count(), 1) << refusals.text();
}

TEST(Deadlock, as_completed_waits_only_as_long_as_all_of_its_tasks_are_stuck) {
  std::latch go(1);
  std::latch a_known(1);
  ThreadGroup a("A");
  ThreadGroup b("B");
  ThreadGroup free("free");
  TaskHandle<void> of_a;
  const auto of_b = b.add_task([&] {
    a_known.wait();
    EXPECT_EQ(refusal([&] { of_a.get(); }), "");
  });
  const auto unbound = free.add_task([&] { go.wait(); });
  std::size_t came = 0;
  of_a = a.add_task([&] {
    auto range = tg::as_completed(std::vector{of_b, unbound});
    if (range.next() != nullptr) ++came;  // the free one; the other waits for this task
  });
  a_known.count_down();
  go.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
  EXPECT_EQ(came, 1u);
}

TEST(Deadlock, a_group_that_executes_functions_which_wait_for_the_caller) {
  std::latch known(1);
  ThreadGroup a("A");
  ThreadGroup b("B");
  TaskHandle<void> caller;
  Refusals refusals;
  b.register_function("asks back", [&] { refusals.try_it([&] { static_cast<void>(caller.wait()); }); });
  caller = a.add_task([&] {
    known.wait();
    refusals.try_it([&] { static_cast<void>(b.execute_results()); });
  });
  known.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.wait_idle());
  EXPECT_EQ(refusals.count(), 1) << refusals.text();
}

TEST(Deadlock, a_pending_task_whose_groups_slots_are_all_held_in_the_cycle) {
  std::latch known(1);
  ThreadGroup a("A", {.max_concurrent_threads = 1});
  ThreadGroup b("B", {.max_concurrent_threads = 1});
  TaskHandle<void> pending;
  Refusals refusals;
  const auto holder = a.add_task(TaskName{"holder"}, [&] {
    known.wait();
    refusals.try_it([&] { static_cast<void>(b.wait_idle()); });
  });
  pending = a.add_task(TaskName{"next"}, [] {});
  b.post([&] {
    known.wait();
    refusals.try_it([&] { pending.get(); });
  });
  known.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
  EXPECT_EQ(refusals.count(), 1) << refusals.text();
  EXPECT_TRUE(refusals.name("task 'next' of group 'MainThread/A', which has no slot")) << refusals.text();
}

TEST(Deadlock, a_pending_task_is_waited_for_while_a_slot_may_become_free) {
  std::latch known(1);
  std::latch waits(1);
  std::latch go(1);
  ThreadGroup a("A", {.max_concurrent_threads = 2});
  ThreadGroup b("B");
  TaskHandle<void> pending;
  b.post([&] {
    known.wait();
    waits.count_down();
    EXPECT_EQ(refusal([&] { pending.get(); }), "");
  });
  a.post([&] { EXPECT_EQ(refusal([&] { static_cast<void>(b.wait_idle()); }), ""); });
  a.post([&] { go.wait(); });
  pending = a.add_task([] {});
  known.count_down();
  waits.wait();
  go.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
}

TEST(Deadlock, through_a_task_that_runs_on_the_stack_of_its_waiter) {
  std::latch known(1);
  ThreadGroup a("A", {.max_concurrent_threads = 1});
  ThreadGroup b("B");
  TaskHandle<void> outer;
  Refusals refusals;
  b.post([&] {
    known.wait();
    refusals.try_it([&] { static_cast<void>(outer.wait()); });
  });
  outer = a.add_task(TaskName{"outer"}, [&] {
    known.wait();
    a.add_task(TaskName{"inner"}, [&] { refusals.try_it([&] { static_cast<void>(b.wait_idle()); }); }).get();
  });
  known.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
  EXPECT_EQ(refusals.count(), 1);
}

TEST(Deadlock, a_wait_with_a_time_limit_is_no_link) {
  std::latch both(2);
  ThreadGroup a("A");
  ThreadGroup b("B");
  bool b_joined = false;
  a.post([&] {
    both.arrive_and_wait();
    EXPECT_FALSE(b.wait_idle(20ms));
  });
  b.post([&] {
    both.arrive_and_wait();
    EXPECT_EQ(refusal([&] { b_joined = static_cast<bool>(a.wait_idle()); }), "");
  });
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(b.join());
  EXPECT_TRUE(b_joined);
}

TEST(Deadlock, a_group_with_a_time_limit_above_is_no_link) {
  std::latch both(3);
  ThreadGroup top("top", {.time_limit = 1h});
  std::optional<ThreadGroup> a;
  ThreadGroup b("B");
  top.add_task([&] { a.emplace("A"); }).get();
  a->post([&] {
    both.arrive_and_wait();
    EXPECT_EQ(refusal([&] { static_cast<void>(b.wait_idle()); }), "");
  });
  b.post([&] {
    both.arrive_and_wait();
    EXPECT_EQ(refusal([&] { static_cast<void>(a->wait_idle()); }), "");
  });
  both.arrive_and_wait();
  tg::thread_utils::event_aware_sleep(20ms);  // time for a refusal; without it the test passes as well
  top.set_event("instead of the time limit");
  EXPECT_TRUE(b.join());
}

TEST(Deadlock, a_wait_that_was_stopped_is_no_link) {
  std::latch begun(1);
  ThreadGroup a("A");
  ThreadGroup b("B");
  bool joined = false;
  b.post([&] {
    begun.wait();
    a.set_event("give up");
    EXPECT_EQ(refusal([&] { joined = static_cast<bool>(a.wait_idle()); }), "");
  });
  const auto waits = a.add_task([&] {
    begun.count_down();
    return b.wait_idle().event_set;
  });
  EXPECT_TRUE(b.join());
  EXPECT_TRUE(waits.get());
  EXPECT_TRUE(joined);
}

// A task waits for one that stops its group then, and joins it: the wait ends with the grace of the shield.
template <class... Scopes>
void join_group_that_waits_in_a_shield() {
  ThreadGroup a("A");
  ThreadGroup b("B");
  bool joined = false;
  std::latch known(1);
  TaskHandle<void> of_a;
  of_a = a.add_task([&] {
    known.wait();
    tg::test::eventually([&] {
      const tg::ForestSnapshot snapshot = tg::ThreadEventsController::instance().snapshot();
      const tg::NodeSnapshot* const found = snapshot.find("B");
      return found->running.size() == 1 && found->running[0].waits_for.find("group 'A'") != std::string::npos;
    });
    b.set_event("give up");
    EXPECT_EQ(refusal([&] { joined = static_cast<bool>(b.wait_idle()); }), "");
  });
  b.post([&] {
    const tg::Shield shield(50ms);
    [[maybe_unused]] const std::tuple<Scopes...> inner;
    EXPECT_EQ(of_a.wait(), tg::WaitOutcome::event_set);
  });
  known.count_down();
  EXPECT_TRUE(a.join());
  EXPECT_TRUE(joined);
}

TEST(Deadlock, a_wait_in_a_shield_whose_grace_begins_later_is_no_link) {
  join_group_that_waits_in_a_shield<>();
}

TEST(Deadlock, a_wait_in_a_scope_of_a_shield_whose_grace_begins_later_is_no_link) {
  join_group_that_waits_in_a_shield<tg::StopScope>();
}

TEST(Deadlock, a_refused_wait_can_be_followed_by_others) {
  std::latch known(1);
  ThreadGroup a("A", {.max_concurrent_threads = 1});
  ThreadGroup b("B");
  TaskHandle<void> of_a;
  const auto of_b = b.add_task([&] {
    known.wait();
    return of_a.wait();
  });
  of_a = a.add_task([&] {
    known.wait();
    // The other may not have begun to wait: then this wait is the first, and the other one is refused.
    refusal([&] { static_cast<void>(of_b.get()); });
    EXPECT_EQ(a.add_task([] { return 7; }).get(), 7);
  });
  known.count_down();
  EXPECT_TRUE(a.join());
  refusal([&] { static_cast<void>(of_b.get()); });
}

// A limit that never comes is none: the group counted as one whose waits end by themselves.
TEST(Deadlock, is_found_in_a_group_whose_time_limit_never_comes) {
  ThreadGroup a("A", {.max_concurrent_threads = 1, .time_limit = tg::Duration::max()});
  ThreadGroup b("B");
  std::latch second_added(1);
  Refusals refusals;
  TaskHandle<void> second;
  a.post([&] {
    second_added.wait();
    refusals.try_it([&] { static_cast<void>(b.join()); });
  });
  second = a.add_task([] {});
  b.post([&] {
    second_added.wait();
    refusals.try_it([&] { second.get(); });
  });
  second_added.count_down();
  static_cast<void>(a.join());
  static_cast<void>(b.join());
  EXPECT_EQ(refusals.count(), 1);
}

}  // namespace deadlock_test
