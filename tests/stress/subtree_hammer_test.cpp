// SPDX-License-Identifier: Apache-2.0
// A hunt for a moment in which more tasks run than the bounds above them allow: random trees of groups, each task of
// which counts itself at every bound.
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"

namespace tg::stress {
namespace subtree_hammer_test {
namespace {

using namespace std::chrono_literals;

// What the tasks of one group, and of those below it, say of themselves.
struct Level {
  const Level* above = nullptr;
  int most_in_subtree = 0;  // zero: no bound
  int most = 0;             // of the group's own tasks
  mutable std::atomic<int> in_subtree{0};
  mutable std::atomic<int> own{0};
};

class Hunt {
 public:
  void grow(std::uint64_t seed, int depth, const Level* above) {
    Random random(seed);
    Level level;
    const GroupOptions options = choose_options(random, level, above);
    ThreadGroup group("tree", options);
    const int tasks = 1 + random.below(depth == 0 ? 12 : 4);
    std::vector<TaskHandle<void>> handles;
    for (int i = 0; i < tasks; ++i) {
      if (random.one_in(3)) {
        handles.push_back(group.add_task(
            [this, &group, &level, depth, s = random.fork()] { run(s, depth, group, level); }));
      } else {
        group.post([this, &group, &level, depth, s = random.fork()] { run(s, depth, group, level); });
      }
    }
    if (!handles.empty() && random.one_in(2)) static_cast<void>(handles[handles.size() / 2].wait());
    if (!handles.empty() && random.one_in(4)) static_cast<void>(handles.front().wait(100us));
    if (random.one_in(4)) static_cast<void>(group.join(50us));
    group.join();
  }

  int tasks() const { return tasks_; }
  int excess() const { return excess_; }

 private:
  static GroupOptions choose_options(Random& random, Level& level, const Level* above) {
    GroupOptions options;
    options.max_concurrent_threads = static_cast<std::size_t>(1 + random.below(4));
    if (random.one_in(3)) options.max_concurrent_in_subtree = static_cast<std::size_t>(1 + random.below(3));
    if (random.one_in(3)) options.max_pending = static_cast<std::size_t>(1 + random.below(3));
    level.above = above;
    level.most = static_cast<int>(options.max_concurrent_threads);
    level.most_in_subtree = static_cast<int>(options.max_concurrent_in_subtree.value_or(0));
    return options;
  }

  // A task waits below the one that runs on its stack, and does not count.
  void enter(const Level& level) {
    if (++level.own > level.most) ++excess_;
    for (const Level* at = &level; at != nullptr; at = at->above) {
      if (++at->in_subtree > at->most_in_subtree && at->most_in_subtree != 0) ++excess_;
    }
  }
  static void leave(const Level& level) {
    for (const Level* at = &level; at != nullptr; at = at->above) --at->in_subtree;
    --level.own;
  }

  void run(std::uint64_t seed, int depth, ThreadGroup& group, const Level& level) {
    ++tasks_;
    enter(level);
    Random random(seed);
    if (random.one_in(4)) std::this_thread::yield();
    if (depth > 0 && random.one_in(2)) {
      // The slot of this group is kept while the one below is joined, so only the bounds' counts go down.
      for (const Level* at = &level; at != nullptr; at = at->above) --at->in_subtree;
      grow(random.fork(), depth - 1, &level);
      for (const Level* at = &level; at != nullptr; at = at->above) {
        if (++at->in_subtree > at->most_in_subtree && at->most_in_subtree != 0) ++excess_;
      }
    }
    if (depth > 0 && random.one_in(3)) {
      leave(level);  // it may wait for room, and for the task
      const auto next =
          group.add_task([this, &group, &level, s = random.fork()] { run(s, 0, group, level); });
      if (random.one_in(2)) static_cast<void>(next.wait());
      enter(level);
    }
    leave(level);
  }

  std::atomic<int> tasks_{0};
  std::atomic<int> excess_{0};
};

TEST(SubtreeMillion, no_bound_is_exceeded_at_any_moment) {
  Random random(choose_seed());
  const int count = kSanitized ? 50'000 : 1'000'000;  // ten times as many take half a minute there
  Hunt hunt;
  while (hunt.tasks() < count && hunt.excess() == 0) hunt.grow(random.fork(), 5, nullptr);
  EXPECT_EQ(hunt.excess(), 0);
}

// Stops come at any moment, and groups go. In the end each bound has all its permits, and no more.
TEST(SubtreeHammer, stops_lose_no_permit) {
  Random random(choose_seed());
  for (int round = rounds(400); round > 0; --round) {
    const int most = 1 + random.below(3);
    ThreadGroup top("top", {.max_concurrent_in_subtree = static_cast<std::size_t>(most)});
    Hunt hunt;
    for (int i = 0; i < 4; ++i) {
      top.post([&hunt, seed = random.fork()] {
        Random own(seed);
        ThreadGroup stopped("stopped", {.max_concurrent_threads = 3});
        for (int k = 0; k < 3; ++k) stopped.post([&hunt, s = own.fork()] { hunt.grow(s, 2, nullptr); });
        if (own.one_in(2)) std::this_thread::yield();
        if (own.one_in(3)) stopped.clear_pending();
        if (own.one_in(2)) stopped.set_event();
        if (own.one_in(2)) stopped.join();
      });
    }
    ASSERT_TRUE(top.join(60s));
    std::latch all_run(most);
    std::atomic<int> running{0};
    std::atomic<bool> too_many{false};
    for (int i = 0; i < most; ++i) {
      top.post([&] {
        all_run.arrive_and_wait();
        if (++running > most) too_many = true;
        --running;
      });
    }
    for (int i = 0; i < 10; ++i) {
      top.post([&] {
        if (++running > most) too_many = true;
        --running;
      });
    }
    ASSERT_TRUE(top.join(60s)) << "a permit is lost";
    EXPECT_FALSE(too_many);
  }
}

}  // namespace
}  // namespace subtree_hammer_test
}  // namespace tg::stress
