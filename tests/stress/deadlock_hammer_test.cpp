// SPDX-License-Identifier: Apache-2.0
// Random programs whose tasks wait for one another: without a cycle no wait is refused, with one exactly
// one.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <latch>
#include <string>
#include <system_error>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"

namespace deadlock_hammer_test {
namespace {

using tg::TaskHandle;
using tg::ThreadGroup;
using tg::stress::Random;

// A wait of one kind or another for the task, or for all of its group; true if it was refused.
struct Wait {
  int kind;
  ThreadGroup* group;
  TaskHandle<void> task;
};
bool is_refused(const Wait& wait) {
  try {
    switch (wait.kind) {
      case 0:
        static_cast<void>(wait.group->wait_idle());
        break;
      case 1:
        static_cast<void>(wait.task.wait());
        break;
      default:
        for (auto& ended : tg::as_completed(std::vector{wait.task})) static_cast<void>(ended);
    }
    return false;
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur) << e.what();
    return true;
  }
}

std::size_t pick(Random& random, std::size_t end) {
  return static_cast<std::size_t>(random.below(static_cast<int>(end)));
}

}  // namespace

// Groups are in a row. A task waits for groups and tasks further left, and for tasks of its own group that
// were added before it. So the leftmost unfinished task can always go on.
TEST(DeadlockHammer, waits_in_an_acyclic_order_are_never_refused) {
  Random random(tg::stress::choose_seed());
  for (int round = 0; round < tg::stress::rounds(500); ++round) {
    std::atomic<int> refused = 0;
    std::deque<ThreadGroup> groups;
    std::vector<std::vector<TaskHandle<void>>> tasks;
    const int count = 2 + random.below(5);
    for (int i = 0; i < count; ++i) {
      groups.emplace_back("group", tg::GroupOptions{.max_concurrent_threads = 1 + pick(random, 3)});
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::vector<TaskHandle<void>> added;
      for (int size = 1 + random.below(12); size > 0; --size) {
        std::vector<Wait> waits;
        for (int n = random.below(4); n > 0; --n) {
          if (!added.empty() && random.one_in(2)) {
            waits.push_back({1 + random.below(2), nullptr, added[pick(random, added.size())]});
          } else if (i > 0) {
            const std::size_t left = pick(random, i);
            waits.push_back({random.below(3), &groups[left], tasks[left][pick(random, tasks[left].size())]});
          }
        }
        added.push_back(groups[i].add_task([waits = std::move(waits), &refused] {
          for (const Wait& wait : waits) refused += is_refused(wait) ? 1 : 0;
        }));
      }
      tasks.push_back(std::move(added));
    }
    for (ThreadGroup& group : groups) EXPECT_TRUE(group.join());
    ASSERT_EQ(refused, 0) << "round " << round;
  }
}

TEST(DeadlockHammer, a_planted_cycle_is_refused_exactly_once) {
  Random random(tg::stress::choose_seed());
  for (int round = 0; round < tg::stress::rounds(1000); ++round) {
    std::atomic<int> refused = 0;
    const int count = 2 + random.below(5);
    std::deque<ThreadGroup> groups;
    for (int i = 0; i < count; ++i) groups.emplace_back("group");
    std::latch known(1);
    std::vector<TaskHandle<void>> ring(groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
      ring[i] = groups[i].add_task([&, next = (i + 1) % groups.size(), kind = random.below(3)] {
        known.wait();
        refused += is_refused({kind, &groups[next], ring[next]}) ? 1 : 0;
      });
    }
    known.count_down();
    // Others wait for tasks of the ring. They are not part of it, and never find it closed.
    ThreadGroup outside("outside");
    for (int n = random.below(4); n > 0; --n) {
      outside.post([task = ring[pick(random, ring.size())]] {
        EXPECT_FALSE(is_refused({1, nullptr, task}));
      });
    }
    for (ThreadGroup& group : groups) EXPECT_TRUE(group.join());
    EXPECT_TRUE(outside.join());
    ASSERT_EQ(refused, 1) << "round " << round;
  }
}

}  // namespace deadlock_hammer_test
