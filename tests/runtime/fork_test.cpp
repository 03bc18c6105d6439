// SPDX-License-Identifier: Apache-2.0
// What a forked child knows: that it is one, and that the parent's threads are not there.
#include <cstddef>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/threads.hpp"
#include "support/in_child.hpp"

namespace tg::inline v0::runtime {
namespace fork_test {
namespace {

using test::in_child;

TEST(Fork, the_child_has_another_generation_and_the_parent_keeps_its_own) {
  ThreadCache::instance();  // counting begins with the first component that cares
  const auto before = fork_generation();
  EXPECT_EQ(in_child([&] { return fork_generation() != before ? 0 : 1; }), 0);
  EXPECT_EQ(fork_generation(), before);
}

TEST(Fork, the_child_counts_no_threads) {
  std::binary_semaphore done(0);
  ThreadCache::instance().start(
      {[](void* s) noexcept { static_cast<std::binary_semaphore*>(s)->release(); }, &done});
  done.acquire();
  ASSERT_GE(ThreadCache::instance().statistics().threads, 1u);
  EXPECT_EQ(in_child([] {
              const auto s = ThreadCache::instance().statistics();
              return s.threads == 0 && s.idle == 0 ? 0 : 1;
            }),
            0);
}

TEST(Fork, a_child_of_any_thread_is_a_main_flow_without_a_task) {
  int said = -1;
  std::thread([&] {
    Flow& me = Flow::current();
    std::byte something{};
    const auto task = reinterpret_cast<tg::detail::TaskContext*>(&something);  // the flow only keeps it
    me.task = task;
    said = in_child([&] { return Flow::current().is_main() && Flow::current().task == nullptr ? 0 : 1; });
    EXPECT_EQ(me.task, task);
    me.task = nullptr;
  }).join();
  EXPECT_EQ(said, 0);
}

TEST(Fork, handlers_run_before_and_after_on_both_sides) {
  static int prepared = 0;
  static int parent = 0;
  static int child = 0;
  static const bool registered = [] {  // permanent, so once, also when the test is repeated
    at_fork([] { ++prepared; }, [] { ++parent; }, [] { ++child; });
    return true;
  }();
  ASSERT_TRUE(registered);
  prepared = parent = child = 0;
  EXPECT_EQ(in_child([] { return prepared == 1 && parent == 0 && child == 1 ? 0 : 1; }), 0);
  EXPECT_EQ(prepared, 1);
  EXPECT_EQ(parent, 1);
  EXPECT_EQ(child, 0);
}

}  // namespace
}  // namespace fork_test
}  // namespace tg::inline v0::runtime
