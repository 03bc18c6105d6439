// SPDX-License-Identifier: Apache-2.0
// Groups that their flow links without the forest's lock, and what makes others see them.
#include <sys/syscall.h>

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/snapshot.hpp>

#include "runtime/asymmetric_fence.hpp"
#include "support/forbidden_call.hpp"
#include "support/in_child.hpp"
#include "support/nodes.hpp"
#include "tree/forest.hpp"
#include "tree/fresh_link.hpp"

namespace tg::inline v0::detail {
namespace fresh_link_test {
namespace {

using test::in_child;
using test::Inside;
using test::Linked;
using test::set_event;
using Unlinked = Forest::Unlinked;

Forest& forest = Forest::instance();

// Makes and destroys groups below the caller's until one of them goes unseen: then the flow has a grant.
bool earn_grant() {
  for (int i = 0; i < 10'000; ++i) {
    const Linked brief("brief");
    if (forest.unlink_leaf(*brief) == Unlinked::unseen) return true;
  }
  return false;
}

std::vector<std::string> names_below(GroupId parent) {
  std::vector<std::string> names;
  for (const NodeSnapshot& node : forest.snapshot().nodes) {
    if (node.parent == parent) names.push_back(node.name);
  }
  return names;
}

class FreshLinks : public testing::Test {
 protected:
  void SetUp() override {
    if (!runtime::has_heavy_fence()) GTEST_SKIP() << "the system has no heavy fence";
    ASSERT_TRUE(earn_grant());
  }
};

TEST_F(FreshLinks, group_that_no_flow_looked_for_goes_unseen) {
  for (int i = 0; i < 1'000; ++i) {  // more than a range of numbers
    const Linked fresh("fresh");
    EXPECT_EQ(forest.path(*fresh), "MainThread/fresh");
    EXPECT_EQ(forest.unlink_leaf(*fresh), Unlinked::unseen);
  }
  EXPECT_EQ(forest.snapshot().find("fresh"), nullptr);
}

TEST_F(FreshLinks, snapshot_shows_a_fresh_group) {
  const Linked fresh("fresh");
  const ForestSnapshot snapshot = forest.snapshot();
  const NodeSnapshot* const found = snapshot.find(fresh->id());
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->depth, 1u);
  EXPECT_EQ(snapshot.find(*found->parent)->kind, NodeKind::main_thread);
  EXPECT_EQ(forest.unlink_leaf(*fresh), Unlinked::yes);
  EXPECT_EQ(forest.snapshot().find(fresh->id()), nullptr);
}

TEST_F(FreshLinks, snapshot_by_another_thread_shows_a_fresh_group) {
  const Linked fresh("fresh");
  std::thread([&] { EXPECT_NE(forest.snapshot().find(fresh->id()), nullptr); }).join();
}

TEST_F(FreshLinks, seen_group_keeps_its_core_only_if_it_has_one_owner_and_its_event_is_unset) {
  const Linked alone("alone");
  static_cast<void>(forest.snapshot());
  EXPECT_EQ(forest.unlink_leaf(*alone, true), Unlinked::alone);
  EXPECT_FALSE(alone.is_set());

  const Linked shared("shared");
  static_cast<void>(forest.snapshot());
  shared->add_reference();
  EXPECT_EQ(forest.unlink_leaf(*shared, true), Unlinked::yes);
  EXPECT_FALSE(shared.is_set());
  shared->release();

  const Linked set("set");
  static_cast<void>(forest.snapshot());
  set_event(set);
  EXPECT_EQ(forest.unlink_leaf(*set, true), Unlinked::yes);
  EXPECT_TRUE(set.is_set());
}

TEST_F(FreshLinks, event_of_the_parent_reaches_a_fresh_group) {
  const Linked parent("parent");
  const Inside inside(*parent);
  ASSERT_TRUE(earn_grant());
  const Linked fresh("fresh");
  std::thread([&] { set_event(parent, "stop"); }).join();
  ASSERT_TRUE(fresh.is_set());
  EXPECT_EQ(fresh.message(), "stop");
}

TEST_F(FreshLinks, event_from_far_above_reaches_a_fresh_group_below_a_fresh_one) {
  const Linked top("top");
  const Inside in_top(*top);
  ASSERT_TRUE(earn_grant());
  const Linked middle("middle");
  std::thread([&] {
    const Inside in_middle(*middle);
    ASSERT_TRUE(earn_grant());
    const Linked below("below");
    EXPECT_EQ(forest.path(*below), "MainThread/top/middle/below");
    std::thread([&] { set_event(top); }).join();
    EXPECT_TRUE(below.is_set());
  }).join();
  EXPECT_TRUE(middle.is_set());
}

TEST_F(FreshLinks, all_events_reach_a_fresh_group) {
  const Linked fresh("fresh");
  std::thread([] { forest.set_all_events(Reason{}); }).join();
  EXPECT_TRUE(fresh.is_set());
}

TEST_F(FreshLinks, event_elsewhere_leaves_a_fresh_group_unseen) {
  const Linked other("other");
  ASSERT_TRUE(earn_grant());
  const Linked fresh("fresh");
  set_event(other);
  EXPECT_EQ(forest.unlink_leaf(*fresh), Unlinked::unseen);
}

TEST_F(FreshLinks, group_made_after_the_parents_event_is_born_set) {
  const Linked parent("parent");
  const Inside inside(*parent);
  ASSERT_TRUE(earn_grant());
  std::thread([&] { set_event(parent); }).join();
  for (int i = 0; i < 100; ++i) {
    const Linked late("late");
    ASSERT_TRUE(late.is_set());
    ASSERT_EQ(forest.unlink_leaf(*late), Unlinked::yes);
  }
}

TEST_F(FreshLinks, event_of_a_fresh_group_itself_leaves_its_parent_alone) {
  const Linked parent("parent");
  const Inside inside(*parent);
  ASSERT_TRUE(earn_grant());
  const Linked fresh("fresh");
  EXPECT_TRUE(set_event(fresh));
  EXPECT_FALSE(parent.is_set());
  EXPECT_TRUE(set_event(parent));
}

TEST_F(FreshLinks, destroyed_parent_hands_its_fresh_child_on) {
  const Linked top("top");
  Linked parent("parent", *top);
  Linked fresh;
  {
    const Inside inside(*parent);
    ASSERT_TRUE(earn_grant());
    fresh = Linked("fresh");
  }
  std::thread([&] { parent.reset(); }).join();
  EXPECT_EQ(forest.path(*fresh), "MainThread/top/fresh");
  set_event(top);
  EXPECT_TRUE(fresh.is_set());
}

TEST_F(FreshLinks, fresh_group_counts_as_a_child) {
  const Linked parent("parent");
  const Inside inside(*parent);
  ASSERT_TRUE(earn_grant());
  Linked fresh("fresh");
  EXPECT_EQ(forest.unlink_leaf(*parent), Unlinked::has_children);
  EXPECT_TRUE(forest.has_children(*parent));
  fresh.reset();
  EXPECT_FALSE(forest.has_children(*parent));
}

TEST_F(FreshLinks, another_thread_destroys_a_fresh_group) {
  Linked fresh("fresh");
  const GroupId id = fresh->id();
  std::thread([&] { fresh.reset(); }).join();
  EXPECT_EQ(forest.snapshot().find(id), nullptr);
  const Linked next("next");
  EXPECT_NE(forest.snapshot().find(next->id()), nullptr);
}

TEST_F(FreshLinks, fresh_group_outlives_its_thread) {
  Linked fresh;
  std::thread([&] {
    ASSERT_TRUE(earn_grant());
    fresh = Linked("fresh");
  }).join();
  const ForestSnapshot snapshot = forest.snapshot();
  ASSERT_NE(snapshot.find(fresh->id()), nullptr);
  EXPECT_EQ(snapshot.find(*snapshot.find(fresh->id())->parent)->kind, NodeKind::foreign_thread);
  fresh.reset();
  EXPECT_EQ(forest.snapshot().roots().size(), 0u);
}

TEST_F(FreshLinks, siblings_are_in_the_order_in_which_one_flow_made_them) {
  const Linked parent("parent");
  const Inside inside(*parent);
  ASSERT_TRUE(earn_grant());
  const Linked a("a");
  const Linked b("b");
  ASSERT_TRUE(earn_grant());
  const Linked c("c");
  const Linked d("d");
  EXPECT_LT(a->id().value, b->id().value);
  EXPECT_LT(c->id().value, d->id().value);
  EXPECT_EQ(names_below(parent->id()), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(FreshLinks, task_of_another_group_gets_no_grant_for_the_first) {
  const Linked a("a");
  const Linked b("b");
  {
    const Inside inside(*a);
    ASSERT_TRUE(earn_grant());
  }
  const Linked below("below", *b);
  EXPECT_EQ(forest.path(*below), "MainThread/b/below");
  EXPECT_EQ(names_below(b->id()), std::vector<std::string>{"below"});
}

TEST_F(FreshLinks, fresh_group_without_a_name_gets_one) {
  const Linked a("");
  EXPECT_EQ(a->name(), "ThreadGroup-" + std::to_string(a->id().value));
}

TEST_F(FreshLinks, fresh_group_below_a_time_limit_has_it_too) {
  const Linked limited = Linked::with_time_limit("limited");
  const Inside inside(*limited);
  ASSERT_TRUE(earn_grant());
  const Linked fresh("fresh");
  EXPECT_TRUE(fresh->is_time_limited());
}

int status_of_child_that_links() {
  return in_child([] {
    REQUIRE_IN_CHILD(forest.snapshot().nodes.empty());
    const Linked first("first");
    REQUIRE_IN_CHILD(forest.snapshot().nodes.size() == 2);
    REQUIRE_IN_CHILD(earn_grant());
    const Linked again("again");
    REQUIRE_IN_CHILD(forest.snapshot().find(again->id()) != nullptr);
  });
}

TEST_F(FreshLinks, child_process_starts_without_grants_and_the_parent_keeps_its_own) {
  EXPECT_EQ(status_of_child_that_links(), 0);
  const Linked fresh("fresh");
  EXPECT_EQ(status_of_child_that_links(), 0);
  EXPECT_EQ(forest.unlink_leaf(*fresh), Unlinked::unseen);
}

TEST_F(FreshLinks, sandbox_that_refuses_the_fence_ends_the_grants) {
  EXPECT_EQ(in_child([] {
              REQUIRE_IN_CHILD(earn_grant());
              const Linked fresh("fresh");
              if (!test::forbid(SYS_membarrier)) return;
              std::thread([&] {
                if (forest.snapshot().find(fresh->id()) == nullptr) ::_exit(2);
              }).join();
              REQUIRE_IN_CHILD(!runtime::has_heavy_fence());
              REQUIRE_IN_CHILD(!earn_grant());
              const Linked next("next");
              REQUIRE_IN_CHILD(forest.snapshot().find(next->id()) != nullptr);
            }),
            0);
}

TEST(FreshLink, grant_must_pay_for_itself_before_the_next_one) {
  const Linked node("node");
  FreshLink link;
  link.last_made = &*node;
  const auto earn = [&] {
    std::uint32_t lives = 0;
    for (; !link.may_ask_for_grant(); ++lives) link.count_end_of(*node);
    return lives;
  };
  const auto use = [&](std::uint64_t uses) {
    link.first_id_of_grant = link.next_id;
    link.next_id += uses;
  };
  EXPECT_EQ(earn(), FreshLink::kEnough);
  use(1);
  link.lose_grant();
  EXPECT_EQ(earn(), 2 * FreshLink::kEnough);  // revoked early
  use(600'000);
  link.give_up_grant(false);  // because there were no numbers left
  EXPECT_EQ(earn(), 0u);
  use(600'000);
  link.lose_grant();
  EXPECT_EQ(earn(), FreshLink::kEnough);  // it was worth it
  use(1);
  link.give_up_grant(true);
  EXPECT_EQ(earn(), FreshLink::kEnough);
  for (int i = 0; i < 100; ++i) {
    use(0);
    link.lose_grant();
  }
  EXPECT_EQ(earn(), FreshLink::kMostEnough);
}

TEST(FreshLink, flow_that_keeps_its_groups_gets_no_grant) {
  const Linked node("node");
  FreshLink link;
  for (int i = 0; i < 1'000; ++i) {
    link.last_made = &*node;
    link.count_end_of(*node);
    link.last_made = nullptr;  // a later group than the one that ends
    link.count_end_of(*node);
  }
  EXPECT_FALSE(link.may_ask_for_grant());
}

}  // namespace
}  // namespace fresh_link_test
}  // namespace tg::inline v0::detail
