// SPDX-License-Identifier: Apache-2.0
// Which path gets which number, and what a node adds to the counts of its path.
#include <gtest/gtest.h>

#include <string>

#include "support/nodes.hpp"
#include "tree/forest.hpp"
#include "tree/path_counts.hpp"

namespace tg::test {
namespace path_counts_test {
namespace {

using detail::EndCounts;
using detail::Forest;
using detail::PathCounts;
using detail::PathMeasures;

TEST(PathCountsTest, paths_have_numbers_in_the_order_in_which_they_come) {
  PathCounts counts;
  counts.allow(2);
  EXPECT_EQ(counts.number_of("a"), PathCounts::kOthers + 1);
  EXPECT_EQ(counts.number_of("b"), PathCounts::kOthers + 2);
  EXPECT_EQ(counts.number_of("c"), PathCounts::kOthers);
  EXPECT_EQ(counts.number_of("a"), PathCounts::kOthers + 1);
  EXPECT_EQ(counts.number_of("(other)"), PathCounts::kOthers);
}

TEST(PathCountsTest, more_may_be_allowed_later_but_not_fewer) {
  PathCounts counts;
  EXPECT_EQ(counts.number_of("a"), PathCounts::kOthers);
  counts.allow(1);
  EXPECT_EQ(counts.number_of("a"), PathCounts::kOthers + 1);
  counts.allow(0);
  EXPECT_EQ(counts.number_of("a"), PathCounts::kOthers + 1);
  counts.allow(2);
  EXPECT_EQ(counts.number_of("b"), PathCounts::kOthers + 2);
}

TEST(PathCountsTest, numbers_end_before_they_begin_again) {
  PathCounts counts;
  counts.allow(1'000'000);
  for (int i = 0; i < 65'534; ++i)
    ASSERT_EQ(counts.number_of(std::to_string(i)), PathCounts::kOthers + 1 + i);
  EXPECT_EQ(counts.number_of("one more"), PathCounts::kOthers);
  EXPECT_EQ(counts.gone().size(), 65'535u);
}

TEST(PathCountsTest, number_that_was_not_given_counts_for_the_others) {
  PathCounts counts;
  counts.keep(17, {.succeeded = 3});
  EXPECT_EQ(counts.gone().front().succeeded, 3u);
}

// Of the path; of nothing if it has no number.
PathMeasures measure(const std::string& path) {
  for (const PathMeasures& one : Forest::instance().measure(1000).paths) {
    if (one.path == path) return one;
  }
  return {};
}

TEST(MeasureTest, each_outcome_and_gauge_is_added_up) {
  Linked one("sums"), two("sums");
  one->counts = {.pending = 1,
                 .running = 2,
                 .succeeded = 3,
                 .failed = 4,
                 .stopped = 5,
                 .skipped = 6,
                 .threads = 7,
                 .threads_wanted = 8,
                 .waiting_adders = 9};
  two->counts = {.pending = 10,
                 .running = 20,
                 .succeeded = 30,
                 .failed = 40,
                 .stopped = 50,
                 .skipped = 60,
                 .threads = 70,
                 .threads_wanted = 80,
                 .waiting_adders = 90};
  set_event(two);
  PathMeasures sums = measure("MainThread/sums");
  EXPECT_EQ(sums.pending, 11u);
  EXPECT_EQ(sums.running, 22u);
  EXPECT_EQ(sums.ended.succeeded, 33u);
  EXPECT_EQ(sums.ended.failed, 44u);
  EXPECT_EQ(sums.ended.stopped, 55u);
  EXPECT_EQ(sums.ended.skipped, 66u);
  EXPECT_EQ(sums.threads, 77u);
  EXPECT_EQ(sums.threads_wanted, 88u);
  EXPECT_EQ(sums.waiting_adders, 99u);
  EXPECT_EQ(sums.most_threads, 64);
  EXPECT_EQ(sums.groups, 2u);
  EXPECT_EQ(sums.stopped_groups, 1u);
  two.reset();
  sums = measure("MainThread/sums");
  EXPECT_EQ(sums.ended.succeeded, 33u);
  EXPECT_EQ(sums.ended.skipped, 66u);
  EXPECT_EQ(sums.pending, 1u);
  EXPECT_EQ(sums.groups, 1u);
  EXPECT_EQ(sums.stopped_groups, 0u);
}

TEST(MeasureTest, group_keeps_its_path_when_it_is_handed_to_another_parent) {
  Linked parent("giver");
  Linked child("given", *parent);
  child->counts.failed = 1;
  EXPECT_EQ(measure("MainThread/giver/given").ended.failed, 1u);
  parent.reset();
  child->counts.failed = 2;
  EXPECT_EQ(measure("MainThread/giver/given").ended.failed, 2u);
  child.reset();
  EXPECT_EQ(measure("MainThread/giver/given").ended.failed, 2u);
  EXPECT_EQ(measure("MainThread/given").ended.failed, 0u);
}

// Both ways out of the forest.
TEST(MeasureTest, group_that_no_one_has_measured_counts_when_it_goes) {
  static_cast<void>(measure(""));
  {
    Linked one("unmeasured");
    one->counts.succeeded = 1;
  }
  EXPECT_EQ(measure("MainThread/unmeasured").ended.succeeded, 1u);
  Linked leaf("unmeasured");
  leaf->counts.succeeded = 1;
  ASSERT_NE(Forest::unlink_leaf(*leaf), Forest::Unlinked::has_children);
  EXPECT_EQ(measure("MainThread/unmeasured").ended.succeeded, 2u);
}

TEST(MeasureTest, scopes_are_no_part_of_a_path) {
  const Linked scope("a scope", NodeKind::scope);
  Linked group("below a scope", *scope);
  group->counts.succeeded = 1;
  EXPECT_EQ(measure("MainThread/below a scope").groups, 1u);
}

}  // namespace
}  // namespace path_counts_test
}  // namespace tg::test
