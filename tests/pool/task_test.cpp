// SPDX-License-Identifier: Apache-2.0
// The list of tasks, and how tasks are called.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include <threadgroup/detail/task.hpp>

#include "support/pools.hpp"

namespace tg::inline v0::detail {
namespace task_test {
namespace {

using test::ProbeTask;

std::vector<Task*> drain(TaskList& list) {
  std::vector<Task*> tasks;
  while (Task* task = list.pop()) tasks.push_back(task);
  return tasks;
}

TEST(TaskStatus, has_a_name_for_each) {
  EXPECT_STREQ(to_string(TaskStatus::pending), "pending");
  EXPECT_STREQ(to_string(TaskStatus::running), "running");
  EXPECT_STREQ(to_string(TaskStatus::succeeded), "succeeded");
  EXPECT_STREQ(to_string(TaskStatus::failed), "failed");
  EXPECT_STREQ(to_string(TaskStatus::stopped), "stopped");
  EXPECT_STREQ(to_string(TaskStatus::skipped), "skipped");
  EXPECT_STREQ(to_string(static_cast<TaskStatus>(99)), "unknown");
}

TEST(Task, is_called_by_its_name_or_its_number) {
  ProbeTask named({}, "fetch");
  ProbeTask unnamed;
  named.set_number(1);
  unnamed.set_number(17);
  EXPECT_EQ(named.name(), "fetch");
  EXPECT_EQ(unnamed.name(), "task 17");
}

TEST(TaskList, first_in_first_out) {
  TaskList list;
  ProbeTask a, b, c;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.pop(), nullptr);
  list.push(a);
  list.push(b);
  EXPECT_EQ(list.front(), &a);
  EXPECT_EQ(list.pop(), &a);
  list.push(c);
  EXPECT_EQ(drain(list), (std::vector<Task*>{&b, &c}));
  list.push(a);  // and again after it was empty
  EXPECT_EQ(drain(list), (std::vector<Task*>{&a}));
}

TEST(TaskList, take_all_leaves_it_empty) {
  TaskList list;
  ProbeTask a, b;
  list.push(a);
  list.push(b);
  TaskList taken = list.take_all();
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(drain(taken), (std::vector<Task*>{&a, &b}));
}

TEST(TaskList, append_keeps_both_orders) {
  ProbeTask a, b, c, d;
  TaskList empty;
  TaskList first;
  TaskList second;
  first.push(a);
  first.push(b);
  second.push(c);
  first.append(second);
  first.append(empty);
  first.push(d);
  EXPECT_EQ(drain(first), (std::vector<Task*>{&a, &b, &c, &d}));
  TaskList third;
  third.push(c);
  empty.append(third);
  empty.push(a);
  EXPECT_EQ(drain(empty), (std::vector<Task*>{&c, &a}));
}

}  // namespace
}  // namespace task_test
}  // namespace tg::inline v0::detail
