// SPDX-License-Identifier: Apache-2.0
// Counting progress, and telling it.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/threadgroup.hpp>

namespace {
using namespace std::chrono_literals;

TEST(progress, counts_from_when_one_began_to_look) {
  tg::GroupStatistics before;
  before.succeeded = 10;
  before.failed = 1;
  tg::GroupStatistics now = before;
  now.succeeded += 3;
  now.failed += 1;
  now.skipped += 1;
  now.pending = 4;
  now.running = 1;
  const tg::Progress p = tg::progress_between(before, now, 2s);
  EXPECT_EQ(p.done, 5u);
  EXPECT_EQ(p.failed, 1u);
  EXPECT_EQ(p.skipped, 1u);
  EXPECT_EQ(p.total, 10u);
  EXPECT_DOUBLE_EQ(p.rate, 2.5);
  EXPECT_EQ(p.time_left, tg::Duration(2s));
  EXPECT_EQ(p.str(), "5/10 done (50%), 1 failed, 1 skipped, 2.5/s, 2 s left");
  EXPECT_EQ(p.bar(10), "[#####-----] 5/10 done (50%), 1 failed, 1 skipped, 2.5/s, 2 s left");
}

TEST(progress, of_nothing_knows_no_rate_and_no_time_left) {
  const tg::Progress p = tg::progress_between({}, {}, 1s);
  EXPECT_EQ(p.str(), "0/0 done");
  EXPECT_EQ(p.bar(4), "[----] 0/0 done");
  EXPECT_FALSE(p.time_left.has_value());
}

TEST(progress, an_expected_total_counts_if_it_is_more) {
  tg::GroupStatistics now;
  now.succeeded = 1;
  EXPECT_EQ(tg::progress_between({}, now, 1s, 100).total, 100u);
  EXPECT_EQ(tg::progress_between({}, now, 1s, 100).time_left, tg::Duration(99s));
}

TEST(progress, reporter_tells_while_the_work_goes_on) {
  std::binary_semaphore half_seen(0);
  tg::ThreadGroup group;
  group.register_function("quick", [] {});
  group.register_function("waits_for_the_observer", [&] { half_seen.acquire(); });
  bool told = false;
  tg::ProgressReporter reporter(group,
                                [&](const tg::Progress& p) {
                                  if (p.done == 1 && p.total == 2 && !std::exchange(told, true))
                                    half_seen.release();
                                },
                                {.interval = 1ms});
  EXPECT_EQ(group.execute().size(), 2u);
}

TEST(progress, the_last_call_has_the_final_counts) {
  std::vector<tg::Progress> seen;
  {
    tg::ThreadGroup group;
    const tg::ProgressReporter reporter(group, [&](const tg::Progress& p) { seen.push_back(p); },
                                        {.interval = 1h});
    tg::map(group, std::vector{1, 2, 3}, [](int x) { return x; });
    EXPECT_TRUE(group.join());
  }
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].done, 3u);
  EXPECT_EQ(seen[0].total, 3u);
}

TEST(progress, an_observer_that_throws_is_reported_as_unseen) {
  std::string what;
  tg::set_unseen_failure_handler(
      [&](const std::string&, const tg::Failure& f) { what = tg::describe_exception(f.exception); });
  {
    tg::ThreadGroup group;
    const tg::ProgressReporter reporter(
        group, [](const tg::Progress&) { throw std::runtime_error("observer"); }, {.interval = 1h});
  }
  tg::set_unseen_failure_handler({});
  EXPECT_EQ(what, "observer");
}

TEST(progress, an_interval_of_zero_is_refused) {
  tg::ThreadGroup group;
  EXPECT_THROW(tg::ProgressReporter(group, [](const tg::Progress&) {}, {.interval = 0s}),
               std::invalid_argument);
}

TEST(progress_line, away_from_a_terminal_writes_the_last_state_once) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  ASSERT_NE(file, nullptr);
  {
    const tg::ProgressObserver line = tg::progress_line(file.get());
    tg::Progress p;
    p.total = 2;
    line(p);
    p.done = 2;
    line(p);
  }
  std::rewind(file.get());
  char text[200] = {};
  const std::size_t length = std::fread(text, 1, sizeof text - 1, file.get());
  EXPECT_EQ(std::string(text, length), "[####################] 2/2 done (100%)\n");
}

}  // namespace
