// SPDX-License-Identifier: Apache-2.0
// A queue from which a task can be taken wherever it is.
#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <random>
#include <vector>

#include <threadgroup/detail/task.hpp>

#include "pool/pending_list.hpp"
#include "support/pools.hpp"

namespace tg::inline v0::detail {
namespace pending_list_test {
namespace {

// Some tasks have handles, the others cannot be taken out.
class Wanted final : public ClaimableTask {
 public:
  ~Wanted() override = default;
  TaskStatus run(Node&) noexcept override { return TaskStatus::succeeded; }
  TaskStatus skip(const ReasonPointer&) noexcept override { return TaskStatus::skipped; }
  const std::string* given_name() const noexcept override { return nullptr; }
  bool claim_failure() noexcept override { return false; }
  bool failure_is_claimed() const noexcept override { return false; }
  Failure failure() const override { return {}; }
  void release() noexcept override {}
};

TEST(PendingList, any_task_can_be_taken_out_and_the_others_keep_their_order) {
  std::minstd_rand random(1);
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (int round = 0; round < 2'000; ++round) {
    // Two lists as those of a pool: one is served, the other one is moved to its end.
    std::deque<Wanted> wanted;
    std::deque<test::ProbeTask> plain;
    PendingList served;
    PendingList incoming;
    std::deque<Task*> in_served;
    std::deque<Task*> in_incoming;
    std::uint64_t numbers = 0;
    for (int step = 0; step < 40; ++step) {
      switch (below(6)) {
        case 0:
        case 1: {
          Task* const task =
              below(2) == 0 ? static_cast<Task*>(&wanted.emplace_back()) : &plain.emplace_back();
          task->set_number(++numbers);
          incoming.push(*task);
          in_incoming.push_back(task);
          break;
        }
        case 2:
          served.append(incoming.take_all());
          in_served.insert(in_served.end(), in_incoming.begin(), in_incoming.end());
          in_incoming.clear();
          break;
        case 3: {
          Task* const first = in_served.empty() ? nullptr : in_served.front();
          ASSERT_EQ(served.pop(), first);
          if (first != nullptr) in_served.pop_front();
          break;
        }
        case 4: {
          const std::uint64_t number = below(numbers + 1);
          const auto at = std::find_if(in_served.begin(), in_served.end(),
                                       [&](const Task* task) { return task->number() == number; });
          ASSERT_EQ(served.remove(number), at != in_served.end());
          if (at != in_served.end()) in_served.erase(at);
          break;
        }
        default: {
          std::deque<Task*>& from = below(2) == 0 ? in_served : in_incoming;
          if (from.empty()) break;
          const auto at = from.begin() + static_cast<std::ptrdiff_t>(below(from.size()));
          if (!(*at)->is_claimable()) break;
          auto& task = static_cast<ClaimableTask&>(**at);
          // As the pool finds out in which of the two it is.
          (served.empty() || incoming.begins_or_ends_with(task) ? incoming : served).remove(task);
          from.erase(at);
        }
      }
      ASSERT_EQ(served.empty(), in_served.empty());
      ASSERT_EQ(incoming.empty(), in_incoming.empty());
    }
    served.append(incoming.take_all());
    in_served.insert(in_served.end(), in_incoming.begin(), in_incoming.end());
    for (const Task* task : in_served) ASSERT_EQ(served.pop(), task);
    ASSERT_TRUE(served.empty());
  }
}

TEST(PendingList, a_number_leaves_the_kind_of_a_task_alone) {
  Wanted wanted;
  test::ProbeTask plain;
  for (const std::uint64_t number :
       {std::uint64_t{1}, std::uint64_t{1} << 33, (std::uint64_t{1} << 47) - 1}) {
    wanted.set_number(number);
    plain.set_number(number);
    EXPECT_EQ(wanted.number(), number);
    EXPECT_EQ(plain.number(), number);
    EXPECT_TRUE(wanted.is_claimable());
    EXPECT_FALSE(plain.is_claimable());
  }
}

}  // namespace
}  // namespace pending_list_test
}  // namespace tg::inline v0::detail
