// SPDX-License-Identifier: Apache-2.0
// Trees that drain while threads outside and tasks inside add: what is taken runs, and every task is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"

namespace tg {
namespace shutdown_hammer_test {
namespace {

using namespace std::chrono_literals;

TEST(ShutdownHammer, what_is_taken_runs_and_every_task_is_counted) {
  const int kRounds = stress::rounds(300);
  for (int round = 0; round < kRounds; ++round) {
    ThreadGroup parent("parent", {.max_concurrent_threads = 2});
    std::atomic<std::uint64_t> runs{0};
    std::atomic<std::uint64_t> inside{0};
    // Each makes a group, adds to it from above and below, and to the parent from below.
    const auto serve = [&] {
      ++runs;
      ThreadGroup child("child", {.max_concurrent_threads = 2});
      for (int i = 0; i < 2; ++i) {
        child.post([&] {
          ++runs;
          ++inside;
          parent.post([&] { ++runs; });
        });
        ++inside;
      }
      child.join();
    };
    std::atomic<bool> go{false};
    std::vector<std::vector<TaskHandle<void>>> handles(3);
    std::vector<std::thread> outsiders;
    for (auto& mine : handles) {
      outsiders.emplace_back([&] {
        while (!go) std::this_thread::yield();
        do mine.push_back(parent.add_task(serve));
        while (mine.back().status() != TaskStatus::skipped && mine.size() < 200);
      });
    }
    go = true;
    for (int i = 0; i < round % 50; ++i) std::this_thread::yield();
    const ShutdownReport report = parent.shut_down({.drain = 1h, .stop = 1h});
    for (std::thread& outsider : outsiders) outsider.join();

    EXPECT_TRUE(report.drained) << report.str();
    EXPECT_TRUE(report) << report.str();
    std::uint64_t succeeded = 0;
    std::uint64_t added = 0;
    for (const auto& mine : handles) {
      for (const TaskHandle<void>& task : mine) {
        ++added;
        if (task.status() == TaskStatus::succeeded) ++succeeded;
        else ASSERT_EQ(task.status(), TaskStatus::skipped);
      }
    }
    const GroupStatistics counts = parent.statistics();
    EXPECT_EQ(runs.load(), succeeded + inside.load());  // nothing that was taken was skipped
    EXPECT_EQ(counts.total(), added + inside.load() / 2);
    EXPECT_TRUE(counts.idle());
  }
}

}  // namespace
}  // namespace shutdown_hammer_test
}  // namespace tg
