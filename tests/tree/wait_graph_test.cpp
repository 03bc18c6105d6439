// SPDX-License-Identifier: Apache-2.0
// The cycle check on tasks that run nowhere: each wait is recorded as if its task's flow were about to park.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <threadgroup/snapshot.hpp>

#include "tree/wait_graph.hpp"

#include "support/nodes.hpp"

namespace wait_graph_test {
namespace {

using tg::TimePoint;
using tg::detail::AwaitedTask;
using tg::detail::RecordedWait;
using tg::detail::TaskContext;
using tg::detail::WaitTarget;
using tg::test::Linked;
using State = AwaitedTask::State;

// A task that is only a name and a state. The graph never looks into one: it compares addresses.
struct FakeTask {
  explicit FakeTask(std::string given, Linked& of) : name(std::move(given)), group(&*of) {
    context.node = group;
    context.task = as_task();
    context.name_of = [](const tg::detail::Task& task) {
      return reinterpret_cast<const FakeTask&>(task).name;
    };
  }
  tg::detail::Task* as_task() { return reinterpret_cast<tg::detail::Task*>(this); }
  AwaitedTask awaited() {
    return {
        as_task(), group,
        [](const tg::detail::Task& task) noexcept { return reinterpret_cast<const FakeTask&>(task).state; },
        context.name_of};
  }

  std::string name;
  tg::detail::Node* group;
  State state = State::running;
  TaskContext context;
};

struct Tasks final : tg::detail::AwaitedTasks {
  explicit Tasks(std::vector<FakeTask*> of) : tasks(std::move(of)) {}
  bool all_of(tg::FunctionRef<bool(const AwaitedTask&)> f) const override {
    for (FakeTask* task : tasks) {
      if (!f(task->awaited())) return false;
    }
    return true;
  }
  std::vector<FakeTask*> tasks;
};

class Waits {
 public:
  // What the wait is refused with, or "" if it was recorded.
  std::string begin(FakeTask& waiter, const WaitTarget& target, bool lends = false,
                    TimePoint deadline = TimePoint::never()) {
    try {
      waits_.emplace_back(&waiter.context, target, tg::detail::WatchedEvents{&waiter.group->event(), nullptr},
                          deadline, lends);
      return {};
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur);
      const std::string text = e.what();
      return text.substr(0, text.rfind(": "));
    }
  }
  // As a destructor waits, which cannot fail. Returns what stderr says.
  std::string begin_and_report(FakeTask& waiter, const WaitTarget& target) {
    testing::internal::CaptureStderr();
    waits_.emplace_back(&waiter.context, target, tg::detail::WatchedEvents{&waiter.group->event(), nullptr},
                        TimePoint::never(), false, RecordedWait::OnCycle::report);
    return testing::internal::GetCapturedStderr();
  }
  void end_first() { waits_.front().end(); }

 private:
  std::deque<RecordedWait> waits_;
};

WaitTarget all_of(Linked& group) { return WaitTarget::idleness_of(*group); }
WaitTarget one(FakeTask& task) { return WaitTarget(task.awaited()); }

}  // namespace

TEST(WaitGraph, a_cycle_of_joins_is_refused_at_its_last_wait_with_its_path) {
  Linked a("A", tg::NodeKind::daemon);
  Linked b("B", tg::NodeKind::daemon);
  Linked c("C", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask y("y", b);
  FakeTask z("z", c);
  Waits waits;
  EXPECT_EQ(waits.begin(x, all_of(b)), "");
  EXPECT_EQ(waits.begin(y, all_of(c)), "");
  EXPECT_EQ(waits.begin(z, all_of(a)),
            "task 'z' of group 'C' waits for group 'A', whose task 'x' waits for group 'B', whose task 'y' "
            "waits for group 'C'");
  waits.end_first();
  EXPECT_EQ(waits.begin(z, all_of(a)), "");
}

TEST(WaitGraph, a_cycle_of_tasks_is_refused_at_its_last_wait_with_its_path) {
  Linked a("A", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask y("y", a);
  Waits waits;
  EXPECT_EQ(waits.begin(x, one(y)), "");
  EXPECT_EQ(waits.begin(y, one(x)),
            "task 'y' of group 'A' waits for task 'x' of group 'A', which waits for task 'y' of group 'A'");
}

TEST(WaitGraph, a_task_below_on_a_stack_is_waited_for_as_long_as_those_above_it) {
  Linked a("A", tg::NodeKind::daemon);
  Linked b("B", tg::NodeKind::daemon);
  FakeTask outer("outer", a);
  FakeTask inner("inner", a);
  FakeTask y("y", b);
  inner.context.outer = &outer.context;
  Waits waits;
  EXPECT_EQ(waits.begin(inner, one(y)), "");
  EXPECT_EQ(waits.begin(y, one(outer)),
            "task 'y' of group 'B' waits for task 'outer' of group 'A', which waits for task 'inner', which "
            "waits for task 'y' of group 'B'");
}

TEST(WaitGraph, a_task_that_has_ended_is_no_link_though_it_is_still_on_a_stack) {
  Linked a("A", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask y("y", a);
  Waits waits;
  EXPECT_EQ(waits.begin(x, one(y)), "");
  x.state = State::done;
  EXPECT_EQ(waits.begin(y, one(x)), "");
}

TEST(WaitGraph, the_first_of_several_tasks_is_a_link_only_if_all_of_them_are_stuck) {
  Linked a("A", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask y("y", a);
  FakeTask z("z", a);
  FakeTask reader("reader", a);
  const Tasks tasks({&x, &y, &z});
  Waits waits;
  EXPECT_EQ(waits.begin(x, one(reader)), "");
  EXPECT_EQ(waits.begin(y, one(reader)), "");
  EXPECT_EQ(waits.begin(reader, WaitTarget(tasks)), "");
  EXPECT_EQ(
      waits.begin(z, one(x)),
      "task 'z' of group 'A' waits for task 'x' of group 'A', which waits for task 'reader' of group 'A', "
      "which waits for the first of several tasks, such as task 'x' of group 'A'");
}

TEST(WaitGraph, waits_with_a_deadline_and_waits_that_were_stopped_are_no_links) {
  Linked a("A", tg::NodeKind::daemon);
  Linked b("B", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask y("y", b);
  Waits timed;
  EXPECT_EQ(timed.begin(x, one(y), false, TimePoint::from_nanos(1)), "");
  EXPECT_EQ(timed.begin(y, one(x)), "");
  FakeTask u("u", a);
  FakeTask v("v", b);
  Waits stopped;
  EXPECT_EQ(stopped.begin(u, one(v)), "");
  tg::test::set_event(a);
  EXPECT_EQ(stopped.begin(v, one(u)), "");
}

TEST(WaitGraph, waits_of_a_group_with_a_time_limit_or_below_one_are_no_links) {
  Linked top = Linked::with_time_limit("top");
  Linked below("below", *top);
  Linked b("B", tg::NodeKind::daemon);
  for (Linked* group : {&top, &below}) {
    FakeTask x("x", *group);
    FakeTask y("y", b);
    Waits waits;
    EXPECT_EQ(waits.begin(x, one(y)), "");
    EXPECT_EQ(waits.begin(y, one(x)), "");
  }
}

TEST(WaitGraph, a_pending_task_is_stuck_if_all_slots_are_held_in_the_cycle) {
  Linked a("A", tg::NodeKind::daemon);
  Linked b("B", tg::NodeKind::daemon);
  a->slot_count = 2;
  FakeTask x1("x1", a);
  FakeTask x2("x2", a);
  FakeTask pending("pending", a);
  FakeTask y("y", b);
  pending.state = State::pending;
  {
    Waits waits;  // one slot is in use by a task that may end
    EXPECT_EQ(waits.begin(x1, all_of(b)), "");
    EXPECT_EQ(waits.begin(y, one(pending)), "");
  }
  {
    Waits waits;  // one of the two lends its slot
    EXPECT_EQ(waits.begin(x1, all_of(b)), "");
    EXPECT_EQ(waits.begin(x2, all_of(b), true), "");
    EXPECT_EQ(waits.begin(y, one(pending)), "");
  }
  {
    Waits waits;
    EXPECT_EQ(waits.begin(y, one(pending)), "");
    EXPECT_EQ(waits.begin(x1, all_of(b)), "");
    EXPECT_EQ(
        waits.begin(x2, one(y)),
        "task 'x2' of group 'A' waits for task 'y' of group 'B', which waits for task 'pending' of group "
        "'A', which has no slot");
  }
  {
    Waits waits;
    EXPECT_EQ(waits.begin(x1, one(y)), "");
    EXPECT_EQ(waits.begin(x2, one(y)), "");
    EXPECT_EQ(
        waits.begin(y, one(pending)),
        "task 'y' of group 'B' waits for task 'pending' of group 'A', which has no slot while task 'x1' "
        "waits for task 'y' of group 'B'");
  }
  {
    Waits waits;  // the pending ones of a group that is stopped are skipped
    EXPECT_EQ(waits.begin(x1, one(y)), "");
    EXPECT_EQ(waits.begin(x2, one(y)), "");
    tg::test::set_event(a);
    EXPECT_EQ(waits.begin(y, one(pending)), "");
  }
}

TEST(WaitGraph, a_flow_that_takes_its_slot_back_waits_for_those_who_hold_them) {
  Linked a("A", tg::NodeKind::daemon);
  Linked b("B", tg::NodeKind::daemon);
  a->slot_count = 1;
  FakeTask returns("returns", a);
  FakeTask holder("holder", a);
  FakeTask y("y", b);
  Waits waits;
  EXPECT_EQ(waits.begin(returns, WaitTarget::slot_of(*a), true), "");
  EXPECT_EQ(waits.begin(y, one(returns)), "");
  EXPECT_EQ(
      waits.begin(holder, one(y)),
      "task 'holder' of group 'A' waits for task 'y' of group 'B', which waits for task 'returns' of group "
      "'A', which waits for a slot of group 'A'");
}

TEST(WaitGraph, a_wait_that_leads_into_a_cycle_is_refused_too) {
  Linked a("A", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask y("y", a);
  FakeTask z("z", a);
  Waits waits;
  EXPECT_EQ(waits.begin(x, one(y)), "");
  EXPECT_EQ(
      waits.begin_and_report(y, one(x)),
      "threadgroup: deadlock: task 'y' of group 'A' waits for task 'x' of group 'A', which waits for task "
      "'y' of group 'A'\n");
  EXPECT_EQ(waits.begin(z, one(x)),
            "task 'z' of group 'A' waits for task 'x' of group 'A', which waits for task 'y' of group 'A', "
            "which waits for task 'x' of group 'A'");
}

TEST(WaitGraph, a_cycle_that_could_not_be_refused_is_described_once_as_long_as_it_is_there) {
  Linked a("A", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask y("y", a);
  FakeTask leads_in("leads in", a);
  FakeTask runs("runs", a);
  FakeTask waits_for_runs("waits for runs", a);
  Waits waits;
  EXPECT_EQ(waits.begin(waits_for_runs, one(runs)), "");
  EXPECT_EQ(waits.begin(leads_in, one(x)), "");
  EXPECT_EQ(waits.begin(x, one(y)), "");
  EXPECT_EQ(tg::detail::describe_deadlocks(), std::vector<std::string>());
  {
    Waits closing;
    EXPECT_NE(closing.begin_and_report(y, one(x)), "");
    const std::vector<std::string> all = tg::detail::describe_deadlocks();
    ASSERT_EQ(all.size(), 1U);
    const std::string of_x = "task 'x' of group 'A'";
    const std::string of_y = "task 'y' of group 'A'";
    const std::string which = ", which waits for ";
    EXPECT_TRUE(all[0] == of_x + " waits for " + of_y + which + of_x ||
                all[0] == of_y + " waits for " + of_x + which + of_y)
        << all[0];
    EXPECT_NE(tg::dump().find("\ndeadlock: " + all[0] + '\n'), std::string::npos);
  }
  EXPECT_EQ(tg::detail::describe_deadlocks(), std::vector<std::string>());
}

TEST(WaitGraph, cycles_are_described_but_not_the_waits_that_lead_into_them) {
  Linked a("A", tg::NodeKind::daemon);
  Linked g("G", tg::NodeKind::daemon);
  Linked h("H", tg::NodeKind::daemon);
  a->slot_count = 1;
  FakeTask x("x", a);
  FakeTask in_g("in g", g);
  FakeTask also_in_g("also in g", g);
  FakeTask in_h("in h", h);
  FakeTask pending("pending", a);
  pending.state = State::pending;
  FakeTask leads_in("leads in", h);
  Waits waits;
  waits.begin_and_report(also_in_g, one(in_h));
  waits.begin_and_report(in_h, one(also_in_g));
  waits.begin_and_report(in_g, one(x));
  waits.begin_and_report(x, all_of(g));
  waits.begin_and_report(leads_in, one(pending));
  std::size_t with_h = 0;
  for (const std::string& cycle : tg::detail::describe_deadlocks()) {
    EXPECT_EQ(cycle.find("leads in"), std::string::npos) << cycle;
    if (cycle.find("'in h'") == std::string::npos) continue;
    ++with_h;
    EXPECT_EQ(cycle.find("'x'"), std::string::npos) << cycle;
  }
  EXPECT_EQ(with_h, 1U);
}

TEST(WaitGraph, each_of_several_cycles_is_described) {
  Linked a("A", tg::NodeKind::daemon);
  std::deque<FakeTask> tasks;
  for (int i = 0; i < 6; ++i) tasks.emplace_back("task\n" + std::to_string(i), a);
  Waits waits;
  for (std::size_t i = 0; i < 6; ++i) waits.begin_and_report(tasks[i], one(tasks[i ^ 1]));
  EXPECT_EQ(tg::detail::describe_deadlocks().size(), 3U);
  const std::string text = tg::dump();
  EXPECT_NE(text.find("\ndeadlock: task 'task\\n"), std::string::npos) << text;
}

TEST(WaitGraph, a_join_is_stuck_by_any_task_of_the_group_and_finds_the_one_in_the_cycle) {
  Linked a("A", tg::NodeKind::daemon);
  Linked b("B", tg::NodeKind::daemon);
  Linked c("C", tg::NodeKind::daemon);
  FakeTask x("x", a);
  FakeTask idle("idle", b);
  FakeTask stuck("stuck", b);
  FakeTask elsewhere("elsewhere", c);
  Waits waits;
  EXPECT_EQ(waits.begin(stuck, all_of(a)), "");
  EXPECT_EQ(waits.begin(idle, one(elsewhere)), "");
  EXPECT_EQ(waits.begin(x, all_of(b)),
            "task 'x' of group 'A' waits for group 'B', whose task 'stuck' waits for group 'A'");
}

TEST(WaitGraph, a_thread_without_a_task_is_never_part_of_a_cycle) {
  Linked a("A", tg::NodeKind::daemon);
  FakeTask x("x", a);
  const RecordedWait first(nullptr, one(x), {}, TimePoint::never(), false);
  TaskContext between_tasks;  // what a worker's destructors of old tasks run in
  between_tasks.node = &*a;
  const RecordedWait second(&between_tasks, one(x), {}, TimePoint::never(), false);
  Waits waits;
  EXPECT_EQ(waits.begin(x, all_of(a)), "task 'x' of group 'A' waits for group 'A'");
}

}  // namespace wait_graph_test
