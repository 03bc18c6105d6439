// SPDX-License-Identifier: Apache-2.0
// Metrics that are asked for while groups come and go: no counter falls, and in the end each task is in one.
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"
#include "support/parsed_metrics.hpp"

namespace tg::stress {
namespace metrics_hammer_test {
namespace {

using test::ParsedMetrics;
using Series = std::map<std::pair<std::string, std::string>, double>;

Series growing(std::size_t max_paths) {
  return ParsedMetrics(metrics_text({.max_paths = max_paths})).growing();
}

double tasks_in(const Series& series) {
  double sum = 0;
  for (const auto& [name, value] : series) sum += name.first == "threadgroup_tasks_total" ? value : 0;
  return sum;
}

// One group with some tasks, of a few names, which goes in one of the ways in which groups go.
std::uint64_t make_one(Random& random) {
  const auto tasks = static_cast<std::uint64_t>(1 + random.below(4));
  auto group = std::make_unique<ThreadGroup>("group " + std::to_string(random.below(20)),
                                             GroupOptions{.max_concurrent_threads = 2});
  for (std::uint64_t i = 0; i < tasks; ++i) {
    group->post([fails = random.one_in(5)] {
      if (fails) throw std::runtime_error("no");
      static_cast<void>(thread_utils::event_aware_sleep(std::chrono::microseconds(10)));
    });
  }
  switch (random.below(4)) {
    case 0:  // what has not ended is stopped
      static_cast<void>(group->wait_idle(Duration()));
      break;
    case 1:
      group->set_event();
      static_cast<void>(group->wait_idle());
      break;
    case 2: {  // its child goes after it
      std::unique_ptr<ThreadGroup> child;
      group->post([&] { child = std::make_unique<ThreadGroup>("child"); });
      static_cast<void>(group->wait_idle());
      const bool was_made = child != nullptr;
      if (was_made) child->post([] {});
      group.reset();
      return tasks + (was_made ? 2 : 1);
    }
    default:
      static_cast<void>(group->wait_idle());
  }
  return tasks;
}

TEST(MetricsHammer, no_counter_falls_while_groups_come_and_go) {
  set_unseen_failure_handler([](const std::string&, const Failure&) {});
  const std::uint64_t seed = choose_seed();
  const double before = tasks_in(growing(10));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> added{0};
  std::vector<std::thread> makers;
  for (std::uint64_t i = 0; i < 3; ++i) {
    makers.emplace_back([&, i] {
      Random random(seed + i);
      while (!stop) added += make_one(random);
    });
  }
  std::thread fresh([&] {  // groups without tasks, which are linked without a lock
    while (!stop) ThreadGroup group("group 1");
  });
  std::vector<std::thread> lookers;
  for (const std::size_t max_paths : {std::size_t{10}, std::size_t{1000}}) {
    lookers.emplace_back([&, max_paths] {
      Series last;
      for (int look = 0; look < rounds(400); ++look) {
        Series now = growing(max_paths);
        for (const auto& [series, value] : last) {
          const auto found = now.find(series);
          ASSERT_NE(found, now.end()) << series.first << '{' << series.second << '}';
          ASSERT_GE(found->second, value) << series.first << '{' << series.second << '}';
        }
        last = std::move(now);
      }
    });
  }
  for (std::thread& looker : lookers) looker.join();
  stop = true;
  for (std::thread& maker : makers) maker.join();
  fresh.join();
  EXPECT_EQ(tasks_in(growing(10)), before + static_cast<double>(added));
  EXPECT_EQ(tasks_in(growing(1000)), before + static_cast<double>(added));
  set_unseen_failure_handler({});
}

}  // namespace
}  // namespace metrics_hammer_test
}  // namespace tg::stress
