// SPDX-License-Identifier: Apache-2.0
// Hammers for the forest: trees made and destroyed by many threads, and very deep and very wide ones.
#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"
#include "tree/forest.hpp"
#include "tree/task_context.hpp"

namespace tg::stress {
namespace tree_hammer_test {
namespace {

using namespace std::chrono_literals;

bool forest_is_empty() { return ThreadEventsController::instance().snapshot().nodes.empty(); }

TEST(TreeHammer, trees_come_and_go_while_others_set_and_look) {
  std::atomic<bool> stop{false};
  std::thread looker([&] {
    while (!stop) {
      const ForestSnapshot forest = ThreadEventsController::instance().snapshot();
      for (const NodeSnapshot& node : forest.nodes) {
        if (!node.parent) continue;
        const NodeSnapshot* const parent = forest.find(*node.parent);
        ASSERT_NE(parent, nullptr);
        ASSERT_TRUE(!parent->event_is_set || node.event_is_set) << to_text(forest);
      }
      static_cast<void>(to_text(forest));
    }
  });
  std::thread setter([&] {
    while (!stop) {
      ThreadEventsController::instance().set_all_events("all");
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> makers;
  for (int i = 0; i < 3; ++i) {
    makers.emplace_back([i] {
      for (int k = 0; k < rounds(400); ++k) {
        ThreadGroup top("top", {.daemon = k % 3 == 0});
        std::unique_ptr<ThreadGroup> orphan;
        const auto made = top.add_task([&orphan, k] {
          ThreadGroup left("left");
          left.post([] { ThreadGroup("leaf").post([] {}); });
          orphan = std::make_unique<ThreadGroup>("orphan");
          if (k % 2 == 0) static_cast<void>(left.join());
        });
        if (i == 0) top.set_event();
        static_cast<void>(made.wait());
        if (k % 4 == 0) orphan.reset();
        static_cast<void>(top.wait_idle());
        if (orphan != nullptr && k % 5 == 0) std::thread([&orphan] { orphan.reset(); }).join();
      }
    });
  }
  for (std::thread& maker : makers) maker.join();
  stop = true;
  looker.join();
  setter.join();
  EXPECT_TRUE(forest_is_empty());
}

TEST(TreeHammer, threads_with_trees_of_their_own_end_while_others_set_and_look) {
  for (int round = 0; round < rounds(150); ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([i] {
        std::unique_ptr<ThreadGroup> outlives;
        std::thread([&outlives] {
          ThreadGroup group("brief");
          outlives = std::make_unique<ThreadGroup>("outlives");
          group.post([] {});
        }).join();
        if (i == 0) ThreadEventsController::instance().set_all_events();
        if (i == 1) static_cast<void>(ThreadEventsController::instance().snapshot());
        outlives->post([] {});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_TRUE(forest_is_empty());
}

// Groups nest where tasks make them; a task that is there only while the group is made is enough.
void make_below(ThreadGroup* parent, std::optional<ThreadGroup>& child) {
  if (parent == nullptr) {
    child.emplace("link");
  } else {
    ASSERT_EQ(parent->add_task([&child] { child.emplace("link"); }).wait(60s), WaitOutcome::ready);
  }
}

TEST(TreeHammer, long_chain_is_set_and_destroyed_from_the_top) {
  const std::size_t length = kSanitized ? 1'000 : 10'000;
  std::vector<std::optional<ThreadGroup>> chain(length);
  ThreadGroup* last = nullptr;
  for (auto& link : chain) {
    make_below(last, link);
    last = &*link;
  }
  EXPECT_TRUE(chain.front()->set_event("top"));
  EXPECT_TRUE(chain.back()->event_is_set());
  EXPECT_EQ(chain.back()->reason()->origin, chain.front()->id());
  const ForestSnapshot picture = ThreadEventsController::instance().snapshot();
  EXPECT_EQ(picture.nodes.size(), length + 1);
  EXPECT_EQ(picture.nodes.back().depth, length);
  for (auto& link : chain) link.reset();  // each leaves its child without a parent: that becomes the top
  EXPECT_TRUE(forest_is_empty());
}

// The making alone, without a task for each link: the tree's own node under a flow that says where it is.
class BareNode final : public detail::Node {
 public:
  BareNode() : Node("bare", NodeKind::group) {}

 private:
  ~BareNode() override = default;
};

TEST(TreeMillion, chain_of_groups_is_set_looked_at_and_destroyed) {
  const std::size_t length = kSanitized ? 100'000 : 1'000'000;
  detail::Forest& forest = detail::Forest::instance();
  runtime::Flow& flow = runtime::Flow::current();
  std::vector<detail::Node*> chain;
  chain.reserve(length);
  detail::TaskContext context;
  for (std::size_t i = 0; i < length; ++i) {
    chain.push_back(new BareNode);
    if (i > 0) {
      context.node = chain[i - 1];
      flow.task = &context;
    }
    forest.link(*chain[i]);
    flow.task = nullptr;
  }
  EXPECT_TRUE(forest.set_event(*chain[0], Reason{}));
  EXPECT_TRUE(chain[length - 1]->event().is_set());
  // From below, from above, and from the middle to both ends.
  for (std::size_t i = length; i-- > 2 * length / 3;) chain[i]->release();
  for (std::size_t i = 0; i < length / 3; ++i) chain[i]->release();
  for (std::size_t i = length / 3; i < 2 * length / 3; ++i) {
    chain[i]->release();
  }
  EXPECT_TRUE(forest_is_empty());
}

TEST(TreeHammer, last_worker_goes_while_its_group_is_handed_to_another_parent) {
  set_unseen_failure_handler([](const std::string&, const Failure&) {});  // each child tells of its end
  for (int round = 0; round < rounds(1'000); ++round) {
    std::latch destroyed(1);
    std::optional<ThreadGroup> parent("parent");
    parent->post([&destroyed] {
      auto* const child = new ThreadGroup("child");
      child->post([child, &destroyed] {
        delete child;
        destroyed.count_down();
      });
      destroyed.wait();
    });
    static_cast<void>(parent->join());
    parent.reset();  // the child may still be there, because its worker is leaving
  }
  while (!forest_is_empty()) std::this_thread::yield();
  set_unseen_failure_handler({});
}

}  // namespace
}  // namespace tree_hammer_test
}  // namespace tg::stress
