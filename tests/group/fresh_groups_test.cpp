// SPDX-License-Identifier: Apache-2.0
// Groups made by a flow that often makes and destroys one: linked without a lock, in reused objects.
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/errors.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>

#include "group/group_core.hpp"
#include "support/in_child.hpp"

namespace tg {
namespace fresh_groups_test {
namespace {

// Enough for the calling flow to have a grant, and an unused object for its next group.
void make_and_destroy_many() {
  for (int i = 0; i < 50; ++i) ThreadGroup brief("brief");
}

class FreshGroups : public testing::Test {
 protected:
  void SetUp() override { make_and_destroy_many(); }
};

TEST_F(FreshGroups, group_is_as_new_whatever_its_predecessor_was) {
  {
    ThreadGroup before(
        "a name that is too long to be kept within the object of the string, and longer than that");
    before.register_function("f", [] {});
    before.notify();
    before.set_event("over");
    EXPECT_TRUE(before.event_is_set());
  }
  {
    ThreadGroup before("before");
    before.register_function("f", [] {});
  }
  const ThreadGroup group("group");
  EXPECT_EQ(group.name(), "group");
  EXPECT_FALSE(group.event_is_set());
  EXPECT_FALSE(group.executed());
  EXPECT_TRUE(group.get_results().empty());
  EXPECT_EQ(group.statistics().total(), 0u);
  EXPECT_EQ(group.path(), "MainThread/group");
}

TEST_F(FreshGroups, each_has_a_number_of_its_own) {
  std::uint64_t last = 0;
  for (int i = 0; i < 1'000; ++i) {
    const ThreadGroup group("group");
    if (i % 100 == 0) static_cast<void>(ThreadEventsController::instance().snapshot());
    EXPECT_GT(group.id().value, last);
    last = group.id().value;
  }
}

TEST_F(FreshGroups, options_are_those_of_the_group_itself) {
  detail::GroupCore* const one = detail::GroupCore::make("one", {.max_concurrent_threads = 1}, true);
  EXPECT_EQ(one->slots(), 1u);
  one->release();

  ThreadGroup stops("stops", {.on_failure = OnFailure::set_event});
  stops.post([] { throw std::runtime_error("no"); });
  static_cast<void>(stops.wait_idle());
  EXPECT_TRUE(stops.event_is_set());

  make_and_destroy_many();
  for (int i = 0; i < 10; ++i) {
    const ThreadGroup daemon("daemon", {.daemon = true});
    EXPECT_EQ(daemon.path(), "daemon");
  }
  const ThreadGroup group("group");
  EXPECT_EQ(group.path(), "MainThread/group");
}

TEST_F(FreshGroups, limit_of_a_parent_does_not_stick_to_later_groups) {
  ThreadGroup limited("limited", {.time_limit = std::chrono::hours(1)});
  limited
      .add_task([] {
        make_and_destroy_many();
        detail::GroupCore* const next = detail::GroupCore::make("next", {}, true);
        EXPECT_FALSE(next->is_time_limited());  // not before it is linked
        next->release();
      })
      .get();
}

TEST_F(FreshGroups, destroyed_parent_stops_the_group_that_its_task_has_left_behind) {
  std::unique_ptr<ThreadGroup> left;
  auto parent = std::make_unique<ThreadGroup>("parent");
  parent
      ->add_task([&left] {
        make_and_destroy_many();
        left = std::make_unique<ThreadGroup>("left");
      })
      .get();
  parent->join();
  parent.reset();
  ASSERT_TRUE(left->event_is_set());
  EXPECT_EQ(left->reason()->kind, ReasonKind::destroyed);
  EXPECT_EQ(left->reason()->origin_path, "MainThread/parent");
  EXPECT_EQ(left->path(), "MainThread/left");
}

TEST_F(FreshGroups, failure_that_no_caller_saw_names_the_whole_path) {
  std::vector<std::string> unseen;
  set_unseen_failure_handler([&unseen](const std::string& path, const Failure&) { unseen.push_back(path); });
  {
    ThreadGroup group("group");
    group.post([] { throw std::runtime_error("no"); });
    while (!group.statistics().idle()) std::this_thread::yield();
  }
  set_unseen_failure_handler({});
  EXPECT_EQ(unseen, std::vector<std::string>{"MainThread/group"});
}

TEST_F(FreshGroups, stop_token_is_stopped_by_the_destructor) {
  std::optional<ThreadGroup> group(std::in_place, "group");
  const std::stop_token token = group->get_stop_token();
  group.reset();
  EXPECT_TRUE(token.stop_requested());
}

TEST_F(FreshGroups, task_that_destroys_its_own_group_is_reported_though_the_group_before_permitted_it) {
  detail::destroy_where_it_falls(new ThreadGroup("before"));
  auto* const group = new ThreadGroup("group");
  std::vector<std::string> unseen;
  set_unseen_failure_handler([&unseen](const std::string& path, const Failure&) { unseen.push_back(path); });
  const auto task = group->add_task([group] { delete group; });
  static_cast<void>(task.wait());
  while (!ThreadEventsController::instance().snapshot().nodes.empty()) std::this_thread::yield();
  set_unseen_failure_handler({});
  EXPECT_EQ(unseen, std::vector<std::string>{"MainThread/group"});
}

TEST_F(FreshGroups, child_process_makes_new_ones) {
  const ThreadGroup here("here");
  make_and_destroy_many();
  EXPECT_EQ(test::in_child([&here] {
              REQUIRE_IN_CHILD(test::throws_forked([&here] { static_cast<void>(here.statistics()); }));
              for (int i = 0; i < 100; ++i) {
                ThreadGroup group("group");
                REQUIRE_IN_CHILD(group.statistics().idle());
                REQUIRE_IN_CHILD(ThreadEventsController::instance().snapshot().find("group") != nullptr);
              }
            }),
            0);
}

}  // namespace
}  // namespace fresh_groups_test
}  // namespace tg
