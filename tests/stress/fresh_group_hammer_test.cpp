// SPDX-License-Identifier: Apache-2.0
// Hammers for groups that are linked without the forest's lock: threads that look meanwhile must not miss them.
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"

namespace tg::stress {
namespace fresh_group_hammer_test {
namespace {

// After `set_event` has returned, the event of a group below is set, whether it was made before or later.
TEST(FreshGroupHammer, no_group_misses_the_event_of_its_parent) {
  for (int round = 0; round < rounds(400); ++round) {
    ThreadGroup parent("parent");
    std::atomic<int> made{0};
    std::atomic<bool> is_set{false};
    const auto maker = parent.add_task([&] {
      for (;;) {
        ThreadGroup brief("brief");
        if (is_set.load()) return brief.event_is_set();
        made.fetch_add(1, std::memory_order_relaxed);
      }
    });
    std::thread setter([&] {
      while (made.load(std::memory_order_relaxed) < 100 + 37 * (round % 50)) std::this_thread::yield();
      parent.set_event();
      is_set.store(true);
    });
    setter.join();
    ASSERT_TRUE(maker.get()) << "in round " << round;
  }
}

// A group that is gone is not shown, and its memory is not walked through while its flow uses it again.
TEST(FreshGroupHammer, snapshots_show_each_maker_at_most_one_group) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> makers;
  for (int i = 0; i < 3; ++i) {
    makers.emplace_back([&stop, i] {
      const std::string name = "maker " + std::to_string(i);
      while (!stop) {
        for (int k = 0; k < 100; ++k) ThreadGroup group(name);
        ThreadGroup held(name);
        held.post([] {});
      }
    });
  }
  std::size_t seen = 0;
  for (int look = 0; look < rounds(20'000) || seen == 0; ++look) {
    std::multiset<std::string> names;
    const ForestSnapshot forest = ThreadEventsController::instance().snapshot();
    for (const NodeSnapshot& node : forest.nodes) {
      if (node.kind == NodeKind::group) names.insert(node.name);
    }
    for (const std::string& name : names) {
      ASSERT_EQ(names.count(name), 1u) << to_text(forest);
      ASSERT_EQ(name.rfind("maker ", 0), 0u) << to_text(forest);
    }
    seen += names.size();
  }
  stop = true;
  for (std::thread& maker : makers) maker.join();
  EXPECT_TRUE(ThreadEventsController::instance().snapshot().nodes.empty());
}

// Groups change hands, and end on other threads than they were made on, while others look.
TEST(FreshGroupHammer, groups_end_on_other_threads) {
  std::atomic<bool> stop{false};
  std::thread looker([&] {
    while (!stop) static_cast<void>(ThreadEventsController::instance().snapshot());
  });
  std::atomic<ThreadGroup*> handed{nullptr};
  std::thread taker([&] {
    while (!stop) delete handed.exchange(nullptr);
  });
  for (int i = 0; i < rounds(20'000); ++i) {
    for (int k = 0; k < 40; ++k) ThreadGroup brief("brief");
    delete handed.exchange(new ThreadGroup("handed"));
  }
  stop = true;
  looker.join();
  taker.join();
  delete handed.exchange(nullptr);
  EXPECT_TRUE(ThreadEventsController::instance().snapshot().nodes.empty());
}

}  // namespace
}  // namespace fresh_group_hammer_test
}  // namespace tg::stress
