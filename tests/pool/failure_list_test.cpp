// SPDX-License-Identifier: Apache-2.0
// The list of failures: in order, and without those that were delivered.
#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <vector>

#include "pool/failure_list.hpp"

#include "support/pools.hpp"

namespace tg::inline v0::detail {
namespace failure_list_test {
namespace {

using test::ProbeTask;

std::size_t count(TaskList tasks) {
  std::size_t tasks_there = 0;
  while (tasks.pop() != nullptr) ++tasks_there;
  return tasks_there;
}

TEST(FailureList, keeps_the_order) {
  std::deque<ProbeTask> tasks(10);
  FailureList list;
  TaskList delivered;
  for (ProbeTask& task : tasks) list.push(task, delivered);
  EXPECT_TRUE(delivered.empty());
  TaskList all = list.take_all();
  EXPECT_TRUE(list.empty());
  for (ProbeTask& task : tasks) EXPECT_EQ(all.pop(), &task);
  EXPECT_TRUE(all.empty());
}

TEST(FailureList, those_put_back_come_first) {
  std::deque<ProbeTask> tasks(3);
  FailureList list;
  TaskList delivered;
  list.push(tasks[0], delivered);
  list.push(tasks[1], delivered);
  TaskList taken = list.take_all();
  list.push(tasks[2], delivered);
  list.put_back(taken);
  TaskList all = list.take_all();
  for (ProbeTask& task : tasks) EXPECT_EQ(all.pop(), &task);
}

TEST(FailureList, delivered_ones_leave_wherever_they_are) {
  constexpr std::size_t kKept = 50;
  std::deque<ProbeTask> tasks(5'000);
  FailureList list;
  TaskList delivered;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    list.push(tasks[i], delivered);
    if (i % (tasks.size() / kKept) != 0) tasks[i].claimed = true;
  }
  const std::size_t gone = count(delivered);
  EXPECT_GE(gone, tasks.size() - 2 * kKept);
  TaskList left = list.take_all();
  std::vector<const Task*> kept;
  while (const Task* task = left.pop()) {
    if (!task->failure_is_claimed()) kept.push_back(task);
  }
  ASSERT_EQ(kept.size(), kKept);
  for (std::size_t i = 0; i < kKept; ++i) EXPECT_EQ(kept[i], &tasks[i * (tasks.size() / kKept)]);
}

}  // namespace
}  // namespace failure_list_test
}  // namespace tg::inline v0::detail
