// SPDX-License-Identifier: Apache-2.0
// A forked child knows that it is one, and that the parent's threads are not there. In it locks are free, and what they
// guard is consistent.
#include <chrono>
#include <cstddef>
#include <latch>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include <threadgroup/detail/annotations.hpp>
#include <threadgroup/detail/mutex.hpp>

#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/threads.hpp"
#include "support/eventually.hpp"
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

// Like the components of the library. In each consistent state both numbers are equal.
class Component {
 public:
  static void hold_across_forks() {
    static const bool registered = [] {  // permanent, so once, also when the test is repeated
      runtime::hold_across_forks([]() -> tg::detail::Mutex& { return only_.mutex_; },
                                 []() TG_NO_THREAD_SAFETY_ANALYSIS {
                                   ++only_.calls_in_child_;
                                   only_.was_held_ = !only_.mutex_.try_lock();
                                 });
      return true;
    }();
    static_cast<void>(registered);
  }
  static Component& instance() { return only_; }

  /// Changes both numbers, and lets the fork come in between.
  void change(std::latch& is_half_done) {
    const tg::detail::MutexLock lock(mutex_);
    ++first_;
    is_half_done.count_down();
    test::leave_time(std::chrono::milliseconds(5));
    ++second_;
  }
  bool is_consistent() {
    const tg::detail::MutexLock lock(mutex_);
    return first_ == second_;
  }
  int calls_in_child() const { return calls_in_child_; }
  bool was_held() const { return was_held_; }

 private:
  static Component only_;
  tg::detail::Mutex mutex_;
  int first_ TG_GUARDED_BY(mutex_) = 0;
  int second_ TG_GUARDED_BY(mutex_) = 0;
  // Written in a child, while it has one thread.
  int calls_in_child_ = 0;
  bool was_held_ = false;
};
constinit Component Component::only_;

TEST(Fork, the_child_has_the_lock_while_it_forgets_and_then_the_lock_is_free_on_both_sides) {
  Component::hold_across_forks();
  Component& component = Component::instance();
  EXPECT_EQ(in_child([&] {
              REQUIRE_IN_CHILD(component.calls_in_child() == 1);
              REQUIRE_IN_CHILD(component.was_held());
              REQUIRE_IN_CHILD(component.is_consistent());  // takes the lock
            }),
            0);
  EXPECT_EQ(component.calls_in_child(), 0);
  EXPECT_TRUE(component.is_consistent());
}

TEST(Fork, the_child_sees_no_half_of_a_change) {
  Component::hold_across_forks();
  Component& component = Component::instance();
  for (int round = 0; round < 10; ++round) {
    std::latch is_half_done(1);
    std::latch was_forked(1);
    std::thread thread([&] {
      component.change(is_half_done);
      was_forked.wait();  // a thread that ends holds locks of a sanitizer
    });
    is_half_done.wait();
    const int status = in_child([&] { REQUIRE_IN_CHILD(component.is_consistent()); });
    was_forked.count_down();
    thread.join();
    ASSERT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace fork_test
}  // namespace tg::inline v0::runtime
